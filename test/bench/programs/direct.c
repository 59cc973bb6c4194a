/*
 * Signs in a direct loop against a PKCS#11 module: what the module itself can do, with nothing around it.
 *
 *   direct MODULE PIN_FILE TOKEN_LABEL THREADS SECONDS [ed25519 | es256 [START]]
 *
 * Finds the token by its label and logs in once. The key is a token object like those of the agent (private,
 * sensitive, not extractable), made by the first run and found by the later ones: a session object would be
 * another contest, since some modules look at the disk before every use of a token object. Each thread has a
 * session of its own and does C_SignInit and C_Sign of 32 bytes, over and over: a message for Ed25519, a digest for
 * ES256. START is when it begins, in seconds on the monotonic clock, so that several processes can begin together; without
 * it at once. Prints one line of JSON; `cpuUs` is the CPU time of this process a signature,
 * `systemUs` what the kernel took of it; `signatures` are all, those of the warm-up too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* What is needed of PKCS#11 2.40 (3.0 for Ed25519). */
typedef unsigned long ck_ulong;
typedef struct { ck_ulong type; void *value; ck_ulong length; } ck_attribute;
typedef struct { ck_ulong type; void *parameter; ck_ulong length; } ck_mechanism;
typedef struct { void *mutexes[4]; ck_ulong flags; void *reserved; } ck_initialize;
typedef struct {
  unsigned char label[32], manufacturer[32], model[16], serial[16];
  ck_ulong flags, counts[6], memory[4];
  unsigned char versions[4], time[16];
} ck_token_info;

/* The function list in its order; `skip` stands for those that are not called here. */
typedef struct {
  unsigned char version[2];
  ck_ulong (*initialize)(ck_initialize *);
  ck_ulong (*finalize)(void *);
  void *skip_a[2];
  ck_ulong (*get_slot_list)(unsigned char, ck_ulong *, ck_ulong *);
  void *skip_b;
  ck_ulong (*get_token_info)(ck_ulong, ck_token_info *);
  void *skip_c[5];
  ck_ulong (*open_session)(ck_ulong, ck_ulong, void *, void *, ck_ulong *);
  void *skip_d[5];
  ck_ulong (*login)(ck_ulong, ck_ulong, unsigned char *, ck_ulong);
  void *skip_e[7];
  ck_ulong (*find_objects_init)(ck_ulong, ck_attribute *, ck_ulong);
  ck_ulong (*find_objects)(ck_ulong, ck_ulong *, ck_ulong, ck_ulong *);
  ck_ulong (*find_objects_final)(ck_ulong);
  void *skip_f[13];
  ck_ulong (*sign_init)(ck_ulong, ck_mechanism *, ck_ulong);
  ck_ulong (*sign)(ck_ulong, unsigned char *, ck_ulong, unsigned char *, ck_ulong *);
  void *skip_g[15];
  ck_ulong (*generate_key_pair)(ck_ulong, ck_mechanism *, ck_attribute *, ck_ulong, ck_attribute *,
                                ck_ulong, ck_ulong *, ck_ulong *);
} ck_functions;

enum {
  CKF_OS_LOCKING_OK = 0x2,
  CKF_RW_SERIAL = 0x2 | 0x4,
  CKU_USER = 1,
  CKO_PRIVATE_KEY = 3,
  CKA_CLASS = 0x0,
  CKA_TOKEN = 0x1,
  CKA_PRIVATE = 0x2,
  CKA_LABEL = 0x3,
  CKA_SENSITIVE = 0x103,
  CKA_SIGN = 0x108,
  CKA_VERIFY = 0x10a,
  CKA_EXTRACTABLE = 0x162,
  CKA_EC_PARAMS = 0x180,
  CKM_EC_KEY_PAIR_GEN = 0x1040,
  CKM_ECDSA = 0x1041,
  CKM_EC_EDWARDS_KEY_PAIR_GEN = 0x1055,
  CKM_EDDSA = 0x1057,
  CKR_CURVE_NOT_SUPPORTED = 0x140,
};

#define DER_BYTES(der) ((size_t)(der)[1] + 2)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST_THREADS 256
#define MOST_SLOTS 64
#define WARM_UP 0.2 /* seconds */

typedef struct {
  const char *name;
  char *key_label;
  ck_ulong generate, sign;
  const unsigned char *curve, *curve_name; /* DER: an object identifier, and a PrintableString */
} algorithm;

static const unsigned char ed25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
static const unsigned char p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
/* Some modules know Ed25519 by its name alone (PKCS#11 v3.0, 2.3.5). */
static const unsigned char edwards25519[] = {0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
                                             'd',  's',  '2', '5', '5', '1', '9'};
static char ed25519_label[] = "signing-agent-bench", es256_label[] = "signing-agent-bench-es256";
static const algorithm algorithms[] = {
    {"ed25519", ed25519_label, CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA, ed25519,
     edwards25519},
    {"es256", es256_label, CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, p256, p256},
};

static ck_functions *module;
static const algorithm *used = &algorithms[0];
static pthread_barrier_t start_line;
/* Nanoseconds on the monotonic clock; set before the start line is crossed for the second time. */
static uint64_t warm_at, end_at;

typedef struct {
  pthread_t thread;
  ck_ulong session, key;
  uint64_t *times; /* nanoseconds a signature */
  size_t made, room, all; /* `all`: with those of the warm-up */
} signer;

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("direct: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static void check(ck_ulong result, const char *call) {
  if (result != 0) die("%s answered 0x%lx", call, result);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

typedef struct {
  double user, system; /* microseconds of this process */
} cpu_times;

static cpu_times cpu_now(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (cpu_times){
      (double)used.ru_utime.tv_sec * 1e6 + (double)used.ru_utime.tv_usec,
      (double)used.ru_stime.tv_sec * 1e6 + (double)used.ru_stime.tv_usec,
  };
}

static void load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) die("%s", dlerror());
  ck_ulong (*get_function_list)(ck_functions **);
  *(void **)&get_function_list = dlsym(library, "C_GetFunctionList");
  if (get_function_list == NULL) die("%s is no PKCS#11 module", path);
  check(get_function_list(&module), "C_GetFunctionList");
  ck_initialize arguments = {.flags = CKF_OS_LOCKING_OK};
  check(module->initialize(&arguments), "C_Initialize");
}

static ck_ulong find_slot(const char *label) {
  unsigned char padded[32];
  size_t length = strlen(label);
  if (length > sizeof padded) die("a token's label has at most 32 bytes");
  memset(padded, ' ', sizeof padded);
  memcpy(padded, label, length);
  ck_ulong slots[MOST_SLOTS], count = MOST_SLOTS;
  check(module->get_slot_list(1, slots, &count), "C_GetSlotList");
  for (ck_ulong n = 0; n < count; n++) {
    ck_token_info info;
    if (module->get_token_info(slots[n], &info) != 0) continue;
    if (memcmp(info.label, padded, sizeof padded) == 0) return slots[n];
  }
  die("there is no token \"%s\"", label);
  return 0;
}

static ck_ulong open_session(ck_ulong slot) {
  ck_ulong session;
  check(module->open_session(slot, CKF_RW_SERIAL, NULL, NULL, &session), "C_OpenSession");
  return session;
}

static void log_in(ck_ulong session, const char *pin_file) {
  unsigned char pin[256];
  FILE *file = fopen(pin_file, "r");
  if (file == NULL) die("cannot read %s", pin_file);
  setvbuf(file, NULL, _IONBF, 0);
  size_t length = fread(pin, 1, sizeof pin, file);
  fclose(file);
  if (length > 0 && pin[length - 1] == '\n') length--;
  ck_ulong result = module->login(session, CKU_USER, pin, length);
  explicit_bzero(pin, sizeof pin);
  check(result, "C_Login");
}

static ck_ulong find_or_make_key(ck_ulong session) {
  unsigned char yes = 1, no = 0;
  ck_ulong private_key = CKO_PRIVATE_KEY, key, found, public_key;
  char *label = used->key_label;
  unsigned char curve[16];
  memcpy(curve, used->curve, DER_BYTES(used->curve));
  ck_attribute wanted[] = {
      {CKA_CLASS, &private_key, sizeof private_key},
      {CKA_LABEL, label, strlen(label)},
  };
  check(module->find_objects_init(session, wanted, COUNT(wanted)), "C_FindObjectsInit");
  check(module->find_objects(session, &key, 1, &found), "C_FindObjects");
  check(module->find_objects_final(session), "C_FindObjectsFinal");
  if (found == 1) return key;

  ck_mechanism generate = {used->generate, NULL, 0};
  ck_attribute of_public[] = {
      {CKA_TOKEN, &yes, 1},
      {CKA_VERIFY, &yes, 1},
      {CKA_LABEL, label, strlen(label)},
      {CKA_EC_PARAMS, curve, DER_BYTES(used->curve)},
  };
  ck_attribute of_private[] = {
      {CKA_TOKEN, &yes, 1},
      {CKA_PRIVATE, &yes, 1},
      {CKA_SENSITIVE, &yes, 1},
      {CKA_EXTRACTABLE, &no, 1},
      {CKA_SIGN, &yes, 1},
      {CKA_LABEL, label, strlen(label)},
  };
  ck_ulong result =
      module->generate_key_pair(session, &generate, of_public, COUNT(of_public), of_private,
                                COUNT(of_private), &public_key, &key);
  if (result == CKR_CURVE_NOT_SUPPORTED) {
    of_public[COUNT(of_public) - 1].length = DER_BYTES(used->curve_name);
    memcpy(curve, used->curve_name, DER_BYTES(used->curve_name));
    result = module->generate_key_pair(session, &generate, of_public, COUNT(of_public), of_private,
                                       COUNT(of_private), &public_key, &key);
  }
  check(result, "C_GenerateKeyPair");
  return key;
}

static void note(signer *self, uint64_t time) {
  if (self->made == self->room) {
    self->room = self->room == 0 ? 65536 : 2 * self->room;
    self->times = realloc(self->times, self->room * sizeof *self->times);
    if (self->times == NULL) die("out of memory");
  }
  self->times[self->made++] = time;
}

static void *run(void *argument) {
  signer *self = argument;
  unsigned char message[32], signature[64];
  ck_mechanism mechanism = {used->sign, NULL, 0};
  memset(message, 7, sizeof message);
  pthread_barrier_wait(&start_line); /* every thread is there */
  pthread_barrier_wait(&start_line); /* the times are set */
  for (uint64_t before = now(); before < end_at;) {
    ck_ulong length = sizeof signature;
    check(module->sign_init(self->session, &mechanism, self->key), "C_SignInit");
    check(module->sign(self->session, message, sizeof message, signature, &length), "C_Sign");
    if (length != sizeof signature) die("a signature of %lu bytes came back", length);
    uint64_t after = now();
    self->all++;
    if (before >= warm_at && after <= end_at) note(self, after - before);
    before = after;
  }
  return NULL;
}

static int by_value(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

/* `cpu`: from the start line to the end of all threads. */
static void print(const signer *signers, size_t threads, double seconds, cpu_times cpu) {
  size_t made = 0, all = 0, at = 0;
  for (size_t n = 0; n < threads; n++) {
    made += signers[n].made;
    all += signers[n].all;
  }
  if (made == 0) die("no signature was made in %g s", seconds);
  uint64_t *times = malloc(made * sizeof *times);
  if (times == NULL) die("out of memory");
  for (size_t n = 0; n < threads; n++) {
    if (signers[n].made == 0) continue;
    memcpy(times + at, signers[n].times, signers[n].made * sizeof *times);
    at += signers[n].made;
  }
  qsort(times, made, sizeof *times, by_value);
  printf("{\"threads\":%zu,\"perSecond\":%.1f,\"medianUs\":%.1f,\"p99Us\":%.1f,\"cpuUs\":%.1f,"
         "\"systemUs\":%.1f,\"signatures\":%zu}\n",
         threads, (double)made / seconds, (double)times[made / 2] / 1e3,
         (double)times[(size_t)((double)made * 0.99)] / 1e3, (cpu.user + cpu.system) / (double)all,
         cpu.system / (double)all, all);
  free(times);
}

int main(int count, char **arguments) {
  static signer signers[MOST_THREADS];
  if (count < 6 || count > 8)
    die("usage: direct MODULE PIN_FILE TOKEN_LABEL THREADS SECONDS [ed25519 | es256 [START]]");
  double start = count == 8 ? atof(arguments[7]) : 0;
  if (count >= 7) {
    size_t at = 0;
    while (at < COUNT(algorithms) && strcmp(algorithms[at].name, arguments[6]) != 0) at++;
    if (at == COUNT(algorithms)) die("no such algorithm: %s", arguments[6]);
    used = &algorithms[at];
  }
  int threads = atoi(arguments[4]);
  double seconds = atof(arguments[5]);
  if (threads < 1 || threads > MOST_THREADS) die("1 to %d threads", MOST_THREADS);
  if (!(seconds >= 0.01 && seconds <= 3600)) die("0.01 to 3600 seconds");

  load(arguments[1]);
  ck_ulong slot = find_slot(arguments[3]);
  ck_ulong login_session = open_session(slot);
  log_in(login_session, arguments[2]);
  ck_ulong key = find_or_make_key(login_session);

  pthread_barrier_init(&start_line, NULL, (unsigned)threads + 1);
  for (int n = 0; n < threads; n++) {
    signers[n].session = open_session(slot);
    signers[n].key = key;
    if (pthread_create(&signers[n].thread, NULL, run, &signers[n]) != 0) die("no more threads");
  }
  pthread_barrier_wait(&start_line);
  struct timespec begin = {(time_t)start, (long)((start - (double)(time_t)start) * 1e9)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &begin, NULL) != 0) continue;
  cpu_times before = cpu_now();
  warm_at = now() + (uint64_t)(WARM_UP * 1e9);
  end_at = warm_at + (uint64_t)(seconds * 1e9);
  pthread_barrier_wait(&start_line);
  for (int n = 0; n < threads; n++) pthread_join(signers[n].thread, NULL);

  cpu_times after = cpu_now();
  cpu_times cpu = {after.user - before.user, after.system - before.system};
  print(signers, (size_t)threads, seconds, cpu);
  module->finalize(NULL);
  return 0;
}
