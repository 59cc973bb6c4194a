/*
 * Runs a program several times, one after the other, to its end: how long it takes and what CPU.
 *
 *   timed RUNS PROGRAM ARGUMENTS...
 *
 * The program's stdin and stdout are /dev/null. Prints one line of JSON: medians of the wall-clock time and of the CPU
 * time, user and system together, in milliseconds. Every run must end with 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define MOST_RUNS 1000

extern char **environ;

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("timed: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static double milliseconds(struct timeval time) {
  return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static int by_value(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return left < right ? -1 : left > right;
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, by_value);
  return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int main(int count, char **arguments) {
  static double wall[MOST_RUNS], cpu[MOST_RUNS];
  if (count < 3) die("usage: timed RUNS PROGRAM ARGUMENTS...");
  int runs = atoi(arguments[1]);
  if (runs < 1 || runs > MOST_RUNS) die("1 to %d runs", MOST_RUNS);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  for (int n = 0; n < runs; n++) {
    pid_t pid;
    int status;
    struct rusage used;
    double started = now();
    int failure = posix_spawnp(&pid, arguments[2], &actions, NULL, arguments + 2, environ);
    if (failure != 0) die("%s: %s", arguments[2], strerror(failure));
    while (wait4(pid, &status, 0, &used) < 0)
      if (errno != EINTR) die("wait4: %s", strerror(errno));
    wall[n] = now() - started;
    cpu[n] = milliseconds(used.ru_utime) + milliseconds(used.ru_stime);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) die("%s failed", arguments[2]);
  }
  printf("{\"ms\":%.2f,\"cpuMs\":%.2f}\n", median(wall, runs), median(cpu, runs));
  return 0;
}
