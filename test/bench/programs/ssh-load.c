/*
 * A client of an SSH agent (draft-miller-ssh-agent) that takes next to no time itself: what it measures is the agent.
 *
 *   ssh-load SOCKET SECONDS CONNECTIONS
 *
 * Signs with the agent's first key on so many connections, one request at a time on each, since ssh-agent of OpenSSH
 * does not read ahead. Every message is another one. Counts answers that are signatures of that key's kind, and
 * ends with an error at the first that is none. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 1.0 /* seconds */
#define LARGEST 65536
#define MOST_CONNECTIONS 1024
#define MESSAGE_BYTES 32

#define REQUEST_IDENTITIES 11
#define IDENTITIES_ANSWER 12
#define SIGN_REQUEST 13
#define SIGN_RESPONSE 14

struct connection {
  int fd;
  uint64_t sent_at;
  size_t held; /* bytes of an answer that are here */
  uint8_t *answer;
  uint8_t last[64]; /* end of the last signature */
};

static uint8_t request[LARGEST];
static size_t request_bytes;
static uint8_t *counter; /* in the message of `request` */
static uint8_t key_type[64];
static uint32_t key_type_bytes;

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("ssh-load: ", stderr);
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

static uint32_t read_uint32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint8_t *write_uint32(uint8_t *at, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) *at++ = (uint8_t)(value >> shift);
  return at;
}

static uint8_t *write_string(uint8_t *at, const uint8_t *bytes, uint32_t length) {
  at = write_uint32(at, length);
  memcpy(at, bytes, length);
  return at + length;
}

/* A string that lies within `end`; moves `at` behind it. */
static const uint8_t *read_string(const uint8_t **at, const uint8_t *end, uint32_t *length) {
  if (end - *at < 4) die("an answer ends too early");
  *length = read_uint32(*at);
  const uint8_t *bytes = *at + 4;
  if (*length > (size_t)(end - bytes)) die("an answer ends too early");
  *at = bytes + *length;
  return bytes;
}

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) die("the socket's path is too long");
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket: %s", strerror(errno));
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
    die("connect to %s: %s", path, strerror(errno));
  return fd;
}

/* Requests are short and there is one at a time: a socket takes each in one piece. */
static void send_request(struct connection *to, const uint8_t *bytes, size_t length) {
  to->sent_at = now();
  if (write(to->fd, bytes, length) != (ssize_t)length) die("write: %s", strerror(errno));
}

static void send_sign(struct connection *to) {
  static uint64_t count;
  count++;
  memcpy(counter, &count, sizeof count);
  send_request(to, request, request_bytes);
}

/* Reads what is there; answers whether it makes a whole message. */
static int receive(struct connection *from) {
  ssize_t some = read(from->fd, from->answer + from->held, LARGEST - from->held);
  if (some < 0) die("read: %s", strerror(errno));
  if (some == 0) die("the agent closed a connection");
  from->held += (size_t)some;
  if (from->held < 4) return 0;
  size_t whole = 4 + (size_t)read_uint32(from->answer);
  if (whole > LARGEST) die("an answer of %zu bytes", whole);
  if (from->held < whole) return 0;
  if (from->held > whole) die("more than one answer to a request");
  from->held = 0;
  return 1;
}

/* Leaves a whole `SIGN_REQUEST` for the agent's first key in `request`. */
static void prepare(struct connection *over) {
  uint8_t ask[5];
  *write_uint32(ask, 1) = REQUEST_IDENTITIES;
  send_request(over, ask, sizeof ask);
  while (!receive(over)) continue;
  const uint8_t *at = over->answer + 5, *end = over->answer + 4 + read_uint32(over->answer);
  if (over->answer[4] != IDENTITIES_ANSWER || end - at < 4 || read_uint32(at) == 0)
    die("the agent has no keys");
  at += 4;
  uint32_t blob_bytes;
  const uint8_t *blob = read_string(&at, end, &blob_bytes);
  if (blob_bytes > LARGEST / 2) die("a key of %u bytes", blob_bytes);
  const uint8_t *inner = blob;
  const uint8_t *type = read_string(&inner, blob + blob_bytes, &key_type_bytes);
  if (key_type_bytes > sizeof key_type) die("a key type of %u bytes", key_type_bytes);
  memcpy(key_type, type, key_type_bytes);

  static const uint8_t message[MESSAGE_BYTES] = {7};
  uint8_t *to = request + 4;
  *to++ = SIGN_REQUEST;
  to = write_string(to, blob, blob_bytes);
  to = write_string(to, message, sizeof message);
  counter = to - sizeof message;
  to = write_uint32(to, 0);
  request_bytes = (size_t)(to - request);
  write_uint32(request, (uint32_t)request_bytes - 4);
}

static void require_signature(struct connection *of) {
  const uint8_t *at = of->answer + 4, *end = at + read_uint32(of->answer);
  if (at == end || *at++ != SIGN_RESPONSE) die("the agent refused to sign");
  uint32_t length;
  const uint8_t *signature = read_string(&at, end, &length);
  if (at != end) die("bytes behind a signature");
  const uint8_t *inner = signature, *last = signature + length;
  uint32_t type_bytes, raw_bytes;
  const uint8_t *type = read_string(&inner, last, &type_bytes);
  if (type_bytes != key_type_bytes || memcmp(type, key_type, type_bytes) != 0)
    die("a signature of another kind than the key");
  const uint8_t *raw = read_string(&inner, last, &raw_bytes);
  if (inner != last || raw_bytes < sizeof of->last) die("no signature");
  if (memcmp(of->last, raw, sizeof of->last) == 0) die("the same signature for another message");
  memcpy(of->last, raw, sizeof of->last);
}

static int by_value(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

/* `all`: signatures, with those of the warm-up. */
static void print(uint64_t *times, size_t made, double seconds, size_t all) {
  if (made == 0) die("nothing was signed in %g s", seconds);
  qsort(times, made, sizeof *times, by_value);
  printf("{\"perSecond\":%.1f,\"medianUs\":%.1f,\"p99Us\":%.1f,\"signatures\":%zu}\n",
         (double)made / seconds, (double)times[made / 2] / 1e3,
         (double)times[(size_t)((double)made * 0.99)] / 1e3, all);
}

int main(int count, char **arguments) {
  if (count != 4) die("usage: ssh-load SOCKET SECONDS CONNECTIONS");
  double seconds = atof(arguments[2]);
  int connections = atoi(arguments[3]);
  if (!(seconds >= 0.01 && seconds <= 3600)) die("0.01 to 3600 seconds");
  if (connections < 1 || connections > MOST_CONNECTIONS) die("1 to %d connections", MOST_CONNECTIONS);

  static struct connection all[MOST_CONNECTIONS];
  int poll = epoll_create1(EPOLL_CLOEXEC);
  if (poll < 0) die("epoll_create1: %s", strerror(errno));
  for (int n = 0; n < connections; n++) {
    all[n] = (struct connection){.fd = connect_to(arguments[1]), .answer = malloc(LARGEST)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[n]};
    if (all[n].answer == NULL || epoll_ctl(poll, EPOLL_CTL_ADD, all[n].fd, &event) != 0)
      die("no room for a connection");
  }
  prepare(&all[0]);

  size_t made = 0, room = 65536, answered = 0;
  uint64_t *times = malloc(room * sizeof *times);
  uint64_t warm_at = now() + (uint64_t)(WARM_UP * 1e9);
  uint64_t end_at = warm_at + (uint64_t)(seconds * 1e9);
  for (int n = 0; n < connections; n++) send_sign(&all[n]);
  for (uint64_t time = 0; time < end_at;) {
    struct epoll_event ready[64];
    int found = epoll_wait(poll, ready, 64, 10000);
    if (found == 0) die("nothing was answered for 10 s");
    if (found < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
    for (int n = 0; n < found; n++) {
      struct connection *one = ready[n].data.ptr;
      if (!receive(one)) continue;
      time = now();
      require_signature(one);
      answered++;
      if (made == room) times = realloc(times, (room *= 2) * sizeof *times);
      if (times == NULL) die("out of memory");
      if (one->sent_at >= warm_at && time <= end_at) times[made++] = time - one->sent_at;
      send_sign(one);
    }
  }
  print(times, made, seconds, answered);
  return 0;
}
