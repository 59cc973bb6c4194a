/*
 * A client of a Unix stream socket that takes next to no time itself: what it measures is the other side.
 *
 *   roundtrip echo SOCKET SECONDS REQUEST_BYTES   a line, and the same line back
 *   roundtrip sign SOCKET SECONDS KEYRING         a JSON-RPC `sign` request of 32 bytes, and its answer
 *   roundtrip idle SOCKET CONNECTIONS             opens connections, prints `ready`, keeps them to the end of stdin
 *
 * `echo` and `sign` have one connection and one request at a time on it, and print one line of JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 0.2 /* seconds */
#define LONGEST_LINE 65536

/* 32 bytes of 7 in base64url */
static const char message[] = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("roundtrip: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) die("the socket's path is too long");
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket: %s", strerror(errno));
  /* Waits where the other side is behind with accepting. */
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
    die("connect to %s: %s", path, strerror(errno));
  return fd;
}

static void send_all(int fd, const char *bytes, size_t length) {
  for (size_t sent = 0; sent < length;) {
    ssize_t some = write(fd, bytes + sent, length - sent);
    if (some < 0 && errno == EINTR) continue;
    if (some <= 0) die("write: %s", strerror(errno));
    sent += (size_t)some;
  }
}

/* One whole line, its newline replaced by the end of the string; answers its length with the newline. */
static size_t receive_line(int fd, char *line) {
  size_t length = 0;
  for (;;) {
    ssize_t some = read(fd, line + length, LONGEST_LINE - length);
    if (some < 0 && errno == EINTR) continue;
    if (some < 0) die("read: %s", strerror(errno));
    if (some == 0) die("the other side closed the connection");
    length += (size_t)some;
    if (line[length - 1] == '\n') break;
    if (length == LONGEST_LINE) die("a line of more than %d bytes", LONGEST_LINE);
  }
  line[length - 1] = '\0';
  return length;
}

static int by_value(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

/* `all`: answers, with those of the warm-up. */
static void print(uint64_t *times, size_t made, double seconds, size_t all) {
  if (made == 0) die("nothing was answered in %g s", seconds);
  qsort(times, made, sizeof *times, by_value);
  printf("{\"perSecond\":%.1f,\"medianUs\":%.1f,\"p99Us\":%.1f,\"signatures\":%zu}\n",
         (double)made / seconds, (double)times[made / 2] / 1e3,
         (double)times[(size_t)((double)made * 0.99)] / 1e3, all);
}

/* `must_have` NULL: the answer must be the request. */
static void measure(int fd, const char *request, size_t length, double seconds, const char *must_have) {
  static char answer[LONGEST_LINE];
  size_t made = 0, room = 65536, all = 0;
  uint64_t *times = malloc(room * sizeof *times);
  uint64_t warm_at = now() + (uint64_t)(WARM_UP * 1e9);
  uint64_t end_at = warm_at + (uint64_t)(seconds * 1e9);
  for (uint64_t before = now(); before < end_at;) {
    send_all(fd, request, length);
    size_t received = receive_line(fd, answer);
    uint64_t after = now();
    if (must_have == NULL ? received != length : strstr(answer, must_have) == NULL)
      die("not the answer that was expected: %.200s", answer);
    all++;
    if (made == room) times = realloc(times, (room *= 2) * sizeof *times);
    if (times == NULL) die("out of memory");
    if (before >= warm_at && after <= end_at) times[made++] = after - before;
    before = now();
  }
  print(times, made, seconds, all);
  free(times);
}

static void echo(const char *path, double seconds, int bytes) {
  static char request[LONGEST_LINE];
  if (bytes < 2 || bytes > LONGEST_LINE) die("2 to %d bytes", LONGEST_LINE);
  memset(request, 'a', (size_t)bytes);
  request[bytes - 1] = '\n';
  measure(connect_to(path), request, (size_t)bytes, seconds, NULL);
}

static void sign(const char *path, double seconds, const char *keyring) {
  char request[512];
  int length = snprintf(request, sizeof request,
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sign\",\"params\":"
                        "{\"keyring\":\"%s\",\"message_b64\":\"%s\"}}\n",
                        keyring, message);
  if (length < 0 || (size_t)length >= sizeof request) die("the keyring's name is too long");
  measure(connect_to(path), request, (size_t)length, seconds, "\"signature_b64\"");
}

static void idle(const char *path, int connections) {
  char byte;
  if (connections < 1) die("at least one connection");
  for (int n = 0; n < connections; n++) connect_to(path);
  puts("ready");
  fflush(stdout);
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
}

int main(int count, char **arguments) {
  const char *mode = count > 1 ? arguments[1] : "";
  if (strcmp(mode, "idle") == 0 && count == 4) {
    idle(arguments[2], atoi(arguments[3]));
    return 0;
  }
  if (count != 5)
    die("usage: roundtrip echo SOCKET SECONDS BYTES | sign SOCKET SECONDS KEYRING | idle SOCKET COUNT");
  double seconds = atof(arguments[3]);
  if (!(seconds >= 0.01 && seconds <= 3600)) die("0.01 to 3600 seconds");
  if (strcmp(mode, "echo") == 0) echo(arguments[2], seconds, atoi(arguments[4]));
  else if (strcmp(mode, "sign") == 0) sign(arguments[2], seconds, arguments[4]);
  else die("no such mode: %s", mode);
  return 0;
}
