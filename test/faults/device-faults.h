/*
 * How devices differ, for the fault module: each line of its script that begins with `device` makes the real token
 * look and act as one of them does. Included once, by fault-module.c, behind its declarations.
 *
 *   device manufacturer NAME   of library, slot and token; _ stands for a blank
 *   device firmware A B        of the token
 *   device lacks MECHANISM     it is not there
 *   device curve-names         an OID as CKA_EC_PARAMS gives CKR_CURVE_NOT_SUPPORTED
 *   device id-length N         a key's CKA_ID of another length gives CKR_ATTRIBUTE_VALUE_INVALID
 *   device label-is-id         ids are letters and digits, and CKA_LABEL is read as CKA_ID
 *   device private-data-hangs  a data object with CKA_PRIVATE is made, and no later call of the process returns
 *   device handles-twice       what is made is shown with the lowest handle of the other objects; another process
 *                              shows it with its own
 *   device searches-by-class   all other attributes of a search are as if they were not there
 */
#ifndef DEVICE_FAULTS_H
#define DEVICE_FAULTS_H

#include <ctype.h>

typedef struct {
  char manufacturer[33]; /* empty: the real one */
  int has_firmware, curve_names, label_is_id, private_data_hangs, handles_twice, searches_by_class;
  unsigned long firmware[2], lacks, id_length; /* 0: none */
} device;

static int read_device(char **words, size_t length, device *into) {
  if (length == 2) {
    if (is(words[1], "curve-names")) return into->curve_names = 1;
    if (is(words[1], "label-is-id")) return into->label_is_id = 1;
    if (is(words[1], "private-data-hangs")) return into->private_data_hangs = 1;
    if (is(words[1], "handles-twice")) return into->handles_twice = 1;
    return into->searches_by_class = is(words[1], "searches-by-class");
  }
  if (is(words[1], "firmware")) {
    into->has_firmware = length == 4;
    return into->has_firmware && read_number(words[2], &into->firmware[0]) &&
           read_number(words[3], &into->firmware[1]);
  }
  if (length != 3) return 0;
  if (is(words[1], "lacks")) return read_positive(words[2], &into->lacks);
  if (is(words[1], "id-length")) return read_positive(words[2], &into->id_length);
  if (!is(words[1], "manufacturer") || strlen(words[2]) >= sizeof into->manufacturer) return 0;
  strcpy(into->manufacturer, words[2]);
  for (char *at = into->manufacturer; *at != '\0'; at++) {
    if (*at == '_') *at = ' ';
  }
  return 1;
}

/* ---- what it says of itself ---- */

static void put_manufacturer(const device *shown, CK_BYTE text[32]) {
  if (shown->manufacturer[0] == '\0') return;
  memset(text, ' ', 32);
  memcpy(text, shown->manufacturer, strlen(shown->manufacturer));
}

static void put_firmware(const device *shown, CK_VERSION *version) {
  if (!shown->has_firmware) return;
  version->major = (CK_BYTE)shown->firmware[0];
  version->minor = (CK_BYTE)shown->firmware[1];
}

/* ---- attributes ---- */

static const CK_ATTRIBUTE *attribute(const CK_ATTRIBUTE *template, CK_ULONG length, CK_ULONG type) {
  for (CK_ULONG i = 0; template != NULL && i < length; i++) {
    if (template[i].type == type) return &template[i];
  }
  return NULL;
}

static int is_data(const CK_ATTRIBUTE *template, CK_ULONG length) {
  const CK_ATTRIBUTE *found = attribute(template, length, CKA_CLASS);
  CK_ULONG class;
  if (found == NULL || found->length != sizeof class) return 0;
  memcpy(&class, found->value, sizeof class);
  return class == CKO_DATA;
}

static int is_private(const CK_ATTRIBUTE *template, CK_ULONG length) {
  const CK_ATTRIBUTE *found = attribute(template, length, CKA_PRIVATE);
  return found != NULL && found->length == 1 && *(const CK_BYTE *)found->value != 0;
}

/* What the device answers to a key of these names, before the real module is asked. */
static CK_RV judge_key(const device *shown, const CK_ATTRIBUTE *template, CK_ULONG length) {
  const CK_ATTRIBUTE *params = attribute(template, length, CKA_EC_PARAMS);
  const CK_ATTRIBUTE *id = attribute(template, length, CKA_ID);
  if (shown->curve_names && params != NULL && *(const CK_BYTE *)params->value == 0x06) {
    return CKR_CURVE_NOT_SUPPORTED;
  }
  if (id == NULL) return CKR_OK;
  if (shown->id_length != 0 && id->length != shown->id_length) return CKR_ATTRIBUTE_VALUE_INVALID;
  for (CK_ULONG i = 0; shown->label_is_id && i < id->length; i++) {
    if (!isalnum(((const CK_BYTE *)id->value)[i])) return CKR_ATTRIBUTE_VALUE_INVALID;
  }
  return CKR_OK;
}

/* ---- handles ---- */

#define MOST_SHARED 64

static struct shared_handle {
  CK_OBJECT_HANDLE own, shown;
} shared[MOST_SHARED]; /* behind `sharing` */
static size_t shared_count;
static pthread_mutex_t sharing = PTHREAD_MUTEX_INITIALIZER;

static CK_OBJECT_HANDLE as_shown(CK_OBJECT_HANDLE handle) {
  pthread_mutex_lock(&sharing);
  for (size_t i = 0; i < shared_count; i++) {
    if (shared[i].own == handle) handle = shared[i].shown;
  }
  pthread_mutex_unlock(&sharing);
  return handle;
}

/* From now on the new object has the lowest handle of those that are neither it nor `beside`. */
static void share_handle(CK_FUNCTION_LIST *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *made,
                         CK_OBJECT_HANDLE beside) {
  CK_OBJECT_HANDLE all[256], lowest = *made;
  CK_ULONG count = 0;
  int found = 0;
  if (module->C_FindObjectsInit(session, NULL, 0) != CKR_OK) return;
  module->C_FindObjects(session, all, COUNT(all), &count);
  module->C_FindObjectsFinal(session);
  for (CK_ULONG i = 0; i < count; i++) {
    if (all[i] == *made || all[i] == beside || (found && all[i] > lowest)) continue;
    lowest = all[i];
    found = 1;
  }
  if (!found) return;
  pthread_mutex_lock(&sharing);
  if (shared_count == MOST_SHARED) REFUSE("more than %d handles twice", MOST_SHARED);
  shared[shared_count++] = (struct shared_handle){*made, lowest};
  pthread_mutex_unlock(&sharing);
  *made = lowest;
}

#endif
