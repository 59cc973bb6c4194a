/*
 * A PKCS#11 module for tests: hands every call to a real module, except where a script says otherwise. All it
 * needs lies beside it, since the process that loads it may have an environment of its own:
 *
 *   target.txt   the path of the real module
 *   faults.txt   the script; replaced by rename(2) only, and seen by the next call
 *   counts.bin   4096 bytes, shared by all processes that load this copy of the module: how often each
 *                function was called
 *
 * The script, a line each; empty lines and those that start with # say nothing. A line that is not understood
 * ends the process, so that no test passes because its fault never came.
 *
 *   FUNCTION CALLS FAULT       the first line that fits a call decides
 *     CALLS   at N | from N | every N | always
 *             calls are counted over all processes, from 1: `at` fires once, ever
 *     FAULT   return RV        answers so, and the real module is not called: an operation that C_Sign
 *                              should end stays active
 *             delay MS         goes on after so many milliseconds
 *             flip-bit         goes on, and a bit of the signature is wrong; of C_Sign alone
 *             drop-sessions    closes all of this process's sessions, then goes on
 *             hang | abort | segv | exit STATUS
 *   token removed              as long as it stands; the sessions are gone for good
 *   pin-lock N                 N wrong user PINs in a row, over all processes, lock the PIN; the flags of the
 *                              token say how far it is
 *   max-sessions N             of this process
 *   mechanism-flags hw         every mechanism is said to be done in hardware
 *   no-data-objects            CKO_DATA cannot be created
 *   device ...                 see device-faults.h
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "cryptoki.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST_RULES 64
#define MOST_SLOTS 64
#define COUNTS_SIZE 4096

enum { OWN, MODULE, SLOT, SESSION };

enum {
#define INDEX(kind, name, parameters, arguments) INDEX_##name,
  CK_FUNCTIONS(INDEX)
#undef INDEX
  WRONG_LOGINS,
  WRONG_LOGINS_IN_A_ROW,
  CALLS_OF_OTHER_THREADS,
  COUNTERS
};

static const struct {
  const char *name;
  int kind;
} functions[] = {
#define ENTRY(kind, name, parameters, arguments) {#name, kind},
    CK_FUNCTIONS(ENTRY)
#undef ENTRY
};

typedef struct {
  char name[40];
  uint64_t value;
} counter;

_Static_assert(COUNTERS * sizeof(counter) <= COUNTS_SIZE, "the counters fit into their file");

enum calls { AT, FROM, EVERY, ALWAYS };
enum fault { NO_FAULT, RETURN, DELAY, FLIP_BIT, DROP_SESSIONS, HANG, ABORT, SEGV, EXIT };

typedef struct {
  size_t function;
  enum calls calls;
  unsigned long number;
  enum fault fault;
  unsigned long value;
} rule;

static int is(const char *word, const char *expected);
static int read_number(const char *word, unsigned long *number);
static int read_positive(const char *word, unsigned long *number);
static _Noreturn void die(void);

#define REFUSE(...) (dprintf(2, "fault module: " __VA_ARGS__), dprintf(2, "\n"), die())

#include "device-faults.h"

typedef struct {
  rule rules[MOST_RULES];
  size_t length;
  device device;
  int removed, hardware, no_data_objects;
  unsigned long pin_lock, max_sessions; /* 0: none */
} script;

static char folder[PATH_MAX];
static char script_path[PATH_MAX];
static counter *counters;
static CK_FUNCTION_LIST *real;      /* the real module's */
static CK_FUNCTION_LIST behind;     /* the same, but for functions whose answers a script can change */
static CK_FUNCTION_LIST in_front;   /* what is given out: counts, applies the rules, goes behind */

/*
 * Held for reading while the real module works, for writing while sessions are taken from under it: it need
 * not bear that C_CloseAllSessions meets another call in one of them. Who hangs or waits does not hold it.
 */
static pthread_rwlock_t gate;
static script current; /* behind the gate */

static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
static struct stat script_read; /* behind `reading`: the file that `current` was read from */

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static struct open_session {
  CK_SESSION_HANDLE session;
  CK_SLOT_ID slot;
} *open_sessions; /* behind `opening` */
static size_t open_count, open_room;

/* ---- the end of the process ---- */

static _Noreturn void die(void) {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a core file takes seconds to write and nobody reads it */
  abort();
}

/* ---- sessions ---- */

static void remember_session(CK_SESSION_HANDLE session, CK_SLOT_ID slot) {
  if (open_count == open_room) {
    open_room = 2 * open_room + 16;
    open_sessions = realloc(open_sessions, open_room * sizeof *open_sessions);
    if (open_sessions == NULL) REFUSE("no memory");
  }
  open_sessions[open_count++] = (struct open_session){session, slot};
}

static void forget_session(CK_SESSION_HANDLE session) {
  pthread_mutex_lock(&opening);
  for (size_t i = 0; i < open_count; i++) {
    if (open_sessions[i].session != session) continue;
    open_sessions[i] = open_sessions[--open_count];
    break;
  }
  pthread_mutex_unlock(&opening);
}

static void forget_sessions_of(CK_SLOT_ID slot) {
  pthread_mutex_lock(&opening);
  for (size_t i = open_count; i-- > 0;) {
    if (open_sessions[i].slot == slot) open_sessions[i] = open_sessions[--open_count];
  }
  pthread_mutex_unlock(&opening);
}

/* With them goes the login (PKCS#11, C_CloseAllSessions). The gate is held for writing. */
static void close_all_sessions(void) {
  CK_SLOT_ID slots[MOST_SLOTS];
  CK_ULONG length = MOST_SLOTS;
  if (real->C_GetSlotList(1, slots, &length) != CKR_OK) return; /* not initialised: there are none */
  for (CK_ULONG i = 0; i < length; i++) {
    real->C_CloseAllSessions(slots[i]);
    forget_sessions_of(slots[i]);
  }
}

/* ---- the script ---- */

static int read_number(const char *word, unsigned long *number) {
  char *end;
  if (word == NULL || *word < '0' || *word > '9') return 0;
  errno = 0;
  *number = strtoul(word, &end, 0);
  return errno == 0 && *end == '\0';
}

static int read_positive(const char *word, unsigned long *number) {
  return read_number(word, number) && *number > 0;
}

static int is(const char *word, const char *expected) {
  return word != NULL && strcmp(word, expected) == 0;
}

static int read_function(const char *word, size_t *function) {
  for (size_t i = 0; i < COUNT(functions); i++) {
    if (functions[i].kind == OWN || !is(word, functions[i].name)) continue;
    *function = i;
    return 1;
  }
  return 0;
}

static int read_fault(char **words, rule *into) {
  static const struct {
    const char *name;
    enum fault fault;
    int has_value;
  } faults[] = {
      {"return", RETURN, 1}, {"delay", DELAY, 1}, {"exit", EXIT, 1}, {"drop-sessions", DROP_SESSIONS, 0},
      {"flip-bit", FLIP_BIT, 0},
      {"hang", HANG, 0},     {"abort", ABORT, 0}, {"segv", SEGV, 0},
  };
  for (size_t i = 0; i < COUNT(faults); i++) {
    if (!is(words[0], faults[i].name)) continue;
    into->fault = faults[i].fault;
    if (!faults[i].has_value) return words[1] == NULL;
    return read_number(words[1], &into->value) && words[2] == NULL;
  }
  return 0;
}

static int read_rule(char **words, script *into) {
  rule *next = &into->rules[into->length];
  if (into->length == MOST_RULES || !read_function(words[0], &next->function)) return 0;
  into->length += 1;
  if (is(words[1], "always")) {
    next->calls = ALWAYS;
    return read_fault(words + 2, next);
  }
  if (is(words[1], "at")) next->calls = AT;
  else if (is(words[1], "from")) next->calls = FROM;
  else if (is(words[1], "every")) next->calls = EVERY;
  else return 0;
  return read_positive(words[2], &next->number) && read_fault(words + 3, next);
}

static int read_line(char *line, script *into) {
  char *words[8] = {NULL}; /* the longest line has 5; the last one stays NULL */
  char *rest = line;
  size_t length = 0;
  for (char *word; (word = strsep(&rest, " \t\r\n")) != NULL;) {
    if (*word == '\0') continue;
    if (length == 0 && *word == '#') return 1;
    if (length == COUNT(words) - 1) return 0;
    words[length++] = word;
  }
  if (length == 0) return 1;
  if (strncmp(words[0], "C_", 2) == 0) return read_rule(words, into);
  if (is(words[0], "device")) return length > 1 && read_device(words, length, &into->device);
  if (is(words[0], "no-data-objects")) return into->no_data_objects = length == 1;
  if (length != 2) return 0;
  if (is(words[0], "token")) return into->removed = is(words[1], "removed");
  if (is(words[0], "mechanism-flags")) return into->hardware = is(words[1], "hw");
  if (is(words[0], "pin-lock")) return read_positive(words[1], &into->pin_lock);
  if (is(words[0], "max-sessions")) return read_positive(words[1], &into->max_sessions);
  return 0;
}

static void read_script(FILE *file, script *into) {
  char line[256], shown[256];
  *into = (script){.length = 0};
  for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
    strcpy(shown, line);
    shown[strcspn(shown, "\n")] = '\0';
    if (strchr(line, '\n') == NULL) REFUSE("%s line %d is cut off: %s", script_path, number, shown);
    if (!read_line(line, into)) REFUSE("%s line %d: %s", script_path, number, shown);
  }
}

static int same_file(const struct stat *one, const struct stat *other) {
  return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_size == other->st_size &&
         one->st_mtim.tv_sec == other->st_mtim.tv_sec && one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
}

/* Takes over the script that stands there now. A token that goes takes its sessions and the login with it. */
static void refresh(void) {
  struct stat now;
  pthread_mutex_lock(&reading);
  /* No file: the test is over and has tidied up, or there never was one, which `load` has refused. */
  if (stat(script_path, &now) == 0 && !same_file(&now, &script_read)) {
    script fresh;
    FILE *file = fopen(script_path, "re");
    /* Another one may stand there since: what is read and what is remembered must be the same. */
    if (file != NULL && fstat(fileno(file), &script_read) == 0) {
      read_script(file, &fresh);
      pthread_rwlock_wrlock(&gate);
      if (fresh.removed && !current.removed) close_all_sessions();
      current = fresh;
      pthread_rwlock_unlock(&gate);
    }
    if (file != NULL) fclose(file);
  }
  pthread_mutex_unlock(&reading);
}

/* ---- what happens in a call ---- */

/* A call of this process came back with the module's mutex held: no other one gets through. */
static volatile int holds_its_mutex;

static uint64_t count(size_t index) {
  return 1 + __atomic_fetch_add(&counters[index].value, 1, __ATOMIC_SEQ_CST);
}

static rule rule_for(size_t function, uint64_t call) {
  rule found = {.fault = NO_FAULT};
  pthread_rwlock_rdlock(&gate);
  for (size_t i = 0; i < current.length && found.fault == NO_FAULT; i++) {
    const rule *each = &current.rules[i];
    if (each->function != function) continue;
    if (each->calls == ALWAYS || (each->calls == AT && call == each->number) ||
        (each->calls == FROM && call >= each->number) ||
        (each->calls == EVERY && call % each->number == 0)) {
      found = *each;
    }
  }
  pthread_rwlock_unlock(&gate);
  return found;
}

static void wait_milliseconds(unsigned long milliseconds) {
  struct timespec left = {(time_t)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

/* What this thread is about to sign becomes wrong. */
static _Thread_local int flips;

/* Answers 1 where the call is answered with `*answer`. */
static int apply(const rule *applied, CK_RV *answer) {
  volatile int *volatile nowhere = NULL; /* or the compiler leaves the fault out */
  switch (applied->fault) {
    case RETURN:
      *answer = applied->value;
      return 1;
    case DELAY:
      wait_milliseconds(applied->value);
      break;
    case FLIP_BIT:
      flips = 1;
      break;
    case DROP_SESSIONS:
      pthread_rwlock_wrlock(&gate);
      close_all_sessions();
      pthread_rwlock_unlock(&gate);
      break;
    case HANG:
      for (;;) pause();
    case ABORT:
      die();
    case SEGV:
      prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
      *nowhere = 1;
      break;
    case EXIT:
      _exit((int)applied->value);
    case NO_FAULT:
      break;
  }
  return 0;
}

/* Answers 1, and holds the gate, where the call goes on to the real module; else `*answer` is the answer. */
static int enter(size_t function, CK_RV *answer) {
  while (holds_its_mutex) pause();
  refresh();
  if (gettid() != getpid()) count(CALLS_OF_OTHER_THREADS);
  rule applied = rule_for(function, count(function));
  if (apply(&applied, answer)) return 0;
  pthread_rwlock_rdlock(&gate);
  if (!current.removed || functions[function].kind == MODULE) return 1;
  *answer = functions[function].kind == SESSION ? CKR_DEVICE_REMOVED : CKR_TOKEN_NOT_PRESENT;
  pthread_rwlock_unlock(&gate);
  return 0;
}

#define FORWARDER(kind, name, parameters, arguments) FORWARDER_##kind(name, parameters, arguments)
#define FORWARDER_OWN(name, parameters, arguments)
#define FORWARDER_MODULE(name, parameters, arguments) \
  static CK_RV forward_##name parameters { \
    CK_RV answer; \
    if (!enter(INDEX_##name, &answer)) return answer; \
    answer = behind.name arguments; \
    pthread_rwlock_unlock(&gate); \
    return answer; \
  }
#define FORWARDER_SLOT FORWARDER_MODULE
#define FORWARDER_SESSION FORWARDER_MODULE
CK_FUNCTIONS(FORWARDER)

/* ---- functions whose answers change; the gate is held ---- */

static CK_RV finalize(void *reserved) {
  CK_RV answer = real->C_Finalize(reserved);
  if (answer != CKR_OK) return answer;
  pthread_mutex_lock(&opening);
  open_count = 0;
  pthread_mutex_unlock(&opening);
  return answer;
}

static CK_RV sign(CK_ULONG session, void *data, CK_ULONG length, void *signature, void *signature_length) {
  CK_RV answer = real->C_Sign(session, data, length, signature, signature_length);
  if (flips && answer == CKR_OK && signature != NULL) ((unsigned char *)signature)[0] ^= 1;
  flips = 0;
  return answer;
}

static CK_RV get_slot_list(CK_BBOOL with_token, CK_SLOT_ID *slots, CK_ULONG *length) {
  CK_RV answer = real->C_GetSlotList(with_token, current.removed && with_token ? NULL : slots, length);
  if (answer == CKR_OK && current.removed && with_token) *length = 0;
  return answer;
}

static CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info) {
  CK_RV answer = real->C_GetSlotInfo(slot, info);
  if (answer != CKR_OK) return answer;
  if (current.removed) info->flags &= ~CKF_TOKEN_PRESENT;
  put_manufacturer(&current.device, info->manufacturer);
  return answer;
}

static CK_RV get_info(CK_INFO *info) {
  CK_RV answer = real->C_GetInfo(info);
  if (answer == CKR_OK) put_manufacturer(&current.device, info->manufacturer);
  return answer;
}

static uint64_t wrong_in_a_row(void) {
  return __atomic_load_n(&counters[WRONG_LOGINS_IN_A_ROW].value, __ATOMIC_SEQ_CST);
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info) {
  CK_RV answer = real->C_GetTokenInfo(slot, info);
  uint64_t wrong = wrong_in_a_row();
  if (answer == CKR_OK) {
    put_manufacturer(&current.device, info->manufacturer);
    put_firmware(&current.device, &info->firmware);
  }
  if (answer != CKR_OK || current.pin_lock == 0 || wrong == 0) return answer;
  info->flags |= CKF_USER_PIN_COUNT_LOW;
  if (wrong + 1 == current.pin_lock) info->flags |= CKF_USER_PIN_FINAL_TRY;
  if (wrong >= current.pin_lock) info->flags |= CKF_USER_PIN_LOCKED;
  return answer;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_ULONG user, void *pin, CK_ULONG length) {
  if (user == CKU_SO) return real->C_Login(session, user, pin, length); /* has a PIN of its own */
  if (current.pin_lock > 0 && wrong_in_a_row() >= current.pin_lock) return CKR_PIN_LOCKED;
  CK_RV answer = real->C_Login(session, user, pin, length);
  if (answer == CKR_PIN_INCORRECT) {
    count(WRONG_LOGINS);
    count(WRONG_LOGINS_IN_A_ROW);
  }
  if (answer == CKR_OK) __atomic_store_n(&counters[WRONG_LOGINS_IN_A_ROW].value, 0, __ATOMIC_SEQ_CST);
  return answer;
}

static CK_RV get_mechanism_info(CK_SLOT_ID slot, CK_ULONG mechanism, CK_MECHANISM_INFO *info) {
  if (mechanism != 0 && current.device.lacks == mechanism) return CKR_MECHANISM_INVALID;
  CK_RV answer = real->C_GetMechanismInfo(slot, mechanism, info);
  if (answer == CKR_OK && current.hardware) info->flags |= CKF_HW;
  return answer;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, void *notify,
                          CK_SESSION_HANDLE *session) {
  CK_RV answer = CKR_SESSION_COUNT;
  pthread_mutex_lock(&opening);
  if (current.max_sessions == 0 || open_count < current.max_sessions) {
    answer = real->C_OpenSession(slot, flags, application, notify, session);
    if (answer == CKR_OK) remember_session(*session, slot);
  }
  pthread_mutex_unlock(&opening);
  return answer;
}

static CK_RV close_session(CK_SESSION_HANDLE session) {
  CK_RV answer = real->C_CloseSession(session);
  if (answer == CKR_OK) forget_session(session);
  return answer;
}

static CK_RV close_sessions_of(CK_SLOT_ID slot) {
  CK_RV answer = real->C_CloseAllSessions(slot);
  if (answer == CKR_OK) forget_sessions_of(slot);
  return answer;
}

static CK_RV create_object(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG length,
                           CK_OBJECT_HANDLE *object) {
  int data = is_data(template, length);
  if (data && current.no_data_objects) return CKR_ATTRIBUTE_VALUE_INVALID;
  CK_RV answer = real->C_CreateObject(session, template, length, object);
  if (answer != CKR_OK) return answer;
  if (current.device.handles_twice) share_handle(real, session, object, *object);
  if (data && current.device.private_data_hangs && is_private(template, length)) holds_its_mutex = 1;
  return answer;
}

static CK_RV generate_key_pair(CK_SESSION_HANDLE session, void *mechanism, CK_ATTRIBUTE *public,
                               CK_ULONG public_length, CK_ATTRIBUTE *private, CK_ULONG private_length,
                               CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key) {
  CK_RV answer = judge_key(&current.device, public, public_length);
  if (answer != CKR_OK) return answer;
  answer = real->C_GenerateKeyPair(session, mechanism, public, public_length, private, private_length, public_key,
                                   private_key);
  if (answer == CKR_OK && current.device.handles_twice) {
    share_handle(real, session, private_key, *public_key);
  }
  return answer;
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
                                 CK_ULONG length) {
  int swapped = current.device.label_is_id && length == 1 && template != NULL && template->type == CKA_LABEL;
  if (swapped) template->type = CKA_ID;
  CK_RV answer = real->C_GetAttributeValue(session, object, template, length);
  if (swapped) template->type = CKA_LABEL;
  return answer;
}

static CK_RV find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG length) {
  const CK_ATTRIBUTE *class = attribute(template, length, CKA_CLASS);
  if (!current.device.searches_by_class) return real->C_FindObjectsInit(session, template, length);
  return real->C_FindObjectsInit(session, (CK_ATTRIBUTE *)class, class == NULL ? 0 : 1);
}

static CK_RV find_objects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG room, CK_ULONG *found) {
  CK_RV answer = real->C_FindObjects(session, objects, room, found);
  for (CK_ULONG i = 0; answer == CKR_OK && i < *found; i++) objects[i] = as_shown(objects[i]);
  return answer;
}

/* ---- loading ---- */

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static void beside(const char *name, char path[PATH_MAX]) {
  if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) REFUSE("%s: too long", folder);
}

static void find_folder(void) {
  Dl_info here;
  if (dladdr((void *)C_GetFunctionList, &here) == 0 || realpath(here.dli_fname, folder) == NULL) {
    REFUSE("cannot find itself");
  }
  *strrchr(folder, '/') = '\0';
}

static void open_real_module(void) {
  char path[PATH_MAX], target[PATH_MAX];
  beside("target.txt", path);
  FILE *file = fopen(path, "re");
  if (file == NULL || fgets(target, sizeof target, file) == NULL) REFUSE("cannot read %s", path);
  fclose(file);
  target[strcspn(target, "\n")] = '\0';
  void *library = dlopen(target, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) REFUSE("%s", dlerror());
  CK_RV (*get_function_list)(CK_FUNCTION_LIST **);
  *(void **)&get_function_list = dlsym(library, "C_GetFunctionList");
  if (get_function_list == NULL || get_function_list(&real) != CKR_OK) {
    REFUSE("%s gives no function list", target);
  }
}

static void open_counts(void) {
  char path[PATH_MAX];
  struct stat found;
  beside("counts.bin", path);
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0 || fstat(file, &found) != 0 || found.st_size != COUNTS_SIZE) {
    REFUSE("%s must be there, %d bytes long", path, COUNTS_SIZE);
  }
  counters = mmap(NULL, COUNTS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (counters == MAP_FAILED) REFUSE("cannot map %s", path);
  close(file);
  /* Who reads the file need not know the order. Every process writes the same, so none needs a lock. */
  for (size_t i = 0; i < COUNT(functions); i++) strcpy(counters[i].name, functions[i].name);
  strcpy(counters[WRONG_LOGINS].name, "wrong logins");
  strcpy(counters[WRONG_LOGINS_IN_A_ROW].name, "wrong logins in a row");
  strcpy(counters[CALLS_OF_OTHER_THREADS].name, "calls of other threads");
}

static void make_gate(void) {
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  /* Else threads that sign without a pause would keep a script out for ever. */
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&gate, &attributes);
}

static void load(void) {
  find_folder();
  open_real_module();
  open_counts();
  make_gate();
  behind = *real;
  behind.C_Finalize = finalize;
  behind.C_Sign = sign;
  behind.C_GetSlotList = get_slot_list;
  behind.C_GetSlotInfo = get_slot_info;
  behind.C_GetTokenInfo = get_token_info;
  behind.C_GetMechanismInfo = get_mechanism_info;
  behind.C_OpenSession = open_session;
  behind.C_CloseSession = close_session;
  behind.C_CloseAllSessions = close_sessions_of;
  behind.C_Login = login;
  behind.C_CreateObject = create_object;
  behind.C_GenerateKeyPair = generate_key_pair;
  behind.C_GetAttributeValue = get_attribute_value;
  behind.C_FindObjectsInit = find_objects_init;
  behind.C_FindObjects = find_objects;
  behind.C_GetInfo = get_info;
  in_front = *real;
#define GIVE_OUT(kind, name, parameters, arguments) GIVE_OUT_##kind(name)
#define GIVE_OUT_OWN(name)
#define GIVE_OUT_MODULE(name) in_front.name = forward_##name;
#define GIVE_OUT_SLOT GIVE_OUT_MODULE
#define GIVE_OUT_SESSION GIVE_OUT_MODULE
  CK_FUNCTIONS(GIVE_OUT)
  in_front.C_GetFunctionList = C_GetFunctionList;
  beside("faults.txt", script_path);
  if (access(script_path, R_OK) != 0) REFUSE("cannot read %s", script_path);
  refresh();
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  if (list == NULL) return CKR_ARGUMENTS_BAD;
  pthread_once(&once, load);
  *list = &in_front;
  return CKR_OK;
}
