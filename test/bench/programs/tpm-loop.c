/*
 * Signs in a direct loop against a TPM on a Unix socket (swtpm): what the TPM itself can do, with nothing around it.
 *
 *   tpm-loop SOCKET SECONDS
 *
 * Makes a P-256 key under the owner's hierarchy (TPM2_CreatePrimary) and does TPM2_Sign of a digest over and over, its
 * authorisation an empty password. One thread: a TPM does one command at a time. Prints one line of JSON.
 * TPM 2.0 Library Specification, Part 3, 24.1 and 20.2.
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
#define LARGEST 4096
#define HEADER 10

enum { CREATE_PRIMARY = 0x131, SIGN = 0x15d, OWNER = 0x40000001, PASSWORD = 0x40000009 };

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("tpm-loop: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static uint64_t now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint8_t *write_uint16(uint8_t *at, unsigned value) {
  *at++ = (uint8_t)(value >> 8);
  *at++ = (uint8_t)value;
  return at;
}

static uint8_t *write_uint32(uint8_t *at, uint32_t value) {
  return write_uint16(write_uint16(at, value >> 16), value & 0xffff);
}

static uint32_t read_uint32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A command with one handle and an empty password for it; answers where its parameters go. */
static uint8_t *begin(uint8_t *command, uint32_t code, uint32_t handle) {
  uint8_t *at = write_uint16(command, 0x8002); /* TPM_ST_SESSIONS */
  at = write_uint32(at + 4, code);
  at = write_uint32(at, handle);
  at = write_uint32(at, 9);
  at = write_uint32(at, PASSWORD);
  memset(at, 0, 5); /* no nonce, no attributes, no password */
  return at + 5;
}

static size_t finish(uint8_t *command, const uint8_t *end) {
  write_uint32(command + 2, (uint32_t)(end - command));
  return (size_t)(end - command);
}

static void run(int fd, const uint8_t *command, size_t length, uint8_t *response) {
  if (write(fd, command, length) != (ssize_t)length) die("write: %s", strerror(errno));
  size_t held = 0, whole = HEADER;
  while (held < whole) {
    ssize_t some = read(fd, response + held, LARGEST - held);
    if (some < 0) die("read: %s", strerror(errno));
    if (some == 0) die("the TPM closed the connection");
    held += (size_t)some;
    if (held >= HEADER) whole = read_uint32(response + 2);
    if (whole < HEADER || whole > LARGEST) die("a response of %zu bytes", whole);
  }
  uint32_t code = read_uint32(response + 6);
  if (code != 0) die("the TPM answered 0x%x", code);
}

static uint32_t make_key(int fd) {
  static const uint8_t public_area[] = {
      0x00, 0x23,             /* TPM_ALG_ECC */
      0x00, 0x0b,             /* its name by SHA-256 */
      0x00, 0x04, 0x04, 0x72, /* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, sign */
      0x00, 0x00,             /* no policy */
      0x00, 0x10, 0x00, 0x10, /* no symmetric algorithm, no fixed scheme */
      0x00, 0x03, 0x00, 0x10, /* TPM_ECC_NIST_P256, no key derivation */
      0x00, 0x00, 0x00, 0x00, /* an empty point */
  };
  uint8_t command[LARGEST], response[LARGEST];
  uint8_t *at = begin(command, CREATE_PRIMARY, OWNER);
  at = write_uint16(at, 4);
  at = write_uint32(at, 0); /* no authorisation value, no data */
  at = write_uint16(at, sizeof public_area);
  memcpy(at, public_area, sizeof public_area);
  at = write_uint16(at + sizeof public_area, 0); /* no outside information */
  at = write_uint32(at, 0);                      /* no PCRs */
  run(fd, command, finish(command, at), response);
  return read_uint32(response + HEADER);
}

static int by_value(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

int main(int count, char **arguments) {
  if (count != 3) die("usage: tpm-loop SOCKET SECONDS");
  double seconds = atof(arguments[2]);
  if (!(seconds >= 0.01 && seconds <= 3600)) die("0.01 to 3600 seconds");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(arguments[1]) >= sizeof address.sun_path) die("the socket's path is too long");
  strcpy(address.sun_path, arguments[1]);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
    die("connect to %s: %s", arguments[1], strerror(errno));

  uint8_t command[LARGEST], response[LARGEST];
  uint8_t *at = begin(command, SIGN, make_key(fd));
  at = write_uint16(at, 32);
  memset(at, 7, 32);
  at = write_uint16(at + 32, 0x0018); /* TPM_ALG_ECDSA */
  at = write_uint16(at, 0x000b);      /* TPM_ALG_SHA256 */
  at = write_uint16(at, 0x8024);      /* TPM_ST_HASHCHECK */
  at = write_uint32(at, 0x40000007);  /* of nothing */
  at = write_uint16(at, 0);
  size_t length = finish(command, at);

  size_t made = 0, room = 65536;
  uint64_t *times = malloc(room * sizeof *times);
  uint64_t warm_at = now(CLOCK_MONOTONIC) + (uint64_t)(WARM_UP * 1e9);
  uint64_t end_at = warm_at + (uint64_t)(seconds * 1e9);
  for (uint64_t before = now(CLOCK_MONOTONIC); before < end_at;) {
    run(fd, command, length, response);
    uint64_t after = now(CLOCK_MONOTONIC);
    if (made == room) times = realloc(times, (room *= 2) * sizeof *times);
    if (times == NULL) die("out of memory");
    if (before >= warm_at && after <= end_at) times[made++] = after - before;
    before = after;
  }
  if (made == 0) die("nothing was signed in %g s", seconds);
  qsort(times, made, sizeof *times, by_value);
  printf("{\"perSecond\":%.1f,\"medianUs\":%.1f,\"p99Us\":%.1f}\n", (double)made / seconds,
         (double)times[made / 2] / 1e3, (double)times[(size_t)((double)made * 0.99)] / 1e3);
  return 0;
}
