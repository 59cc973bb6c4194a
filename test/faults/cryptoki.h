/*
 * What the fault module needs of PKCS#11 2.40: the function list and the few structures that it looks into.
 * Pointers that are only handed on are `void *`; structures are laid out as the C compiler does it, which is
 * what PKCS#11 asks for on Unix.
 */
#ifndef CRYPTOKI_H
#define CRYPTOKI_H

typedef unsigned char CK_BYTE;
typedef unsigned char CK_BBOOL;
typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV;
typedef CK_ULONG CK_FLAGS;
typedef CK_ULONG CK_SLOT_ID;
typedef CK_ULONG CK_SESSION_HANDLE;
typedef CK_ULONG CK_OBJECT_HANDLE;

#define CKR_OK 0x0UL
#define CKR_ARGUMENTS_BAD 0x7UL
#define CKR_ATTRIBUTE_VALUE_INVALID 0x13UL
#define CKR_DEVICE_REMOVED 0x32UL
#define CKR_MECHANISM_INVALID 0x70UL
#define CKR_PIN_INCORRECT 0xA0UL
#define CKR_PIN_LOCKED 0xA4UL
#define CKR_SESSION_COUNT 0xB1UL
#define CKR_TOKEN_NOT_PRESENT 0xE0UL
#define CKR_CURVE_NOT_SUPPORTED 0x140UL

#define CKU_SO 0UL
#define CKO_DATA 0UL
#define CKA_CLASS 0UL
#define CKA_PRIVATE 2UL
#define CKA_LABEL 3UL
#define CKA_ID 0x102UL
#define CKA_EC_PARAMS 0x180UL
#define CKF_HW 0x1UL            /* CK_MECHANISM_INFO */
#define CKF_TOKEN_PRESENT 0x1UL /* CK_SLOT_INFO */
#define CKF_USER_PIN_COUNT_LOW 0x10000UL
#define CKF_USER_PIN_FINAL_TRY 0x20000UL
#define CKF_USER_PIN_LOCKED 0x40000UL

typedef struct {
  CK_BYTE major, minor;
} CK_VERSION;

typedef struct {
  CK_ULONG type;
  void *value;
  CK_ULONG length;
} CK_ATTRIBUTE;

typedef struct {
  CK_BYTE description[64], manufacturer[32];
  CK_FLAGS flags;
  CK_VERSION hardware, firmware;
} CK_SLOT_INFO;

typedef struct {
  CK_VERSION cryptoki;
  CK_BYTE manufacturer[32];
  CK_FLAGS flags;
  CK_BYTE description[32];
  CK_VERSION library;
} CK_INFO;

typedef struct {
  CK_BYTE label[32], manufacturer[32], model[16], serial[16];
  CK_FLAGS flags;
  CK_ULONG sessions_pins_and_memory[10];
  CK_VERSION hardware, firmware;
  CK_BYTE time[16];
} CK_TOKEN_INFO;

typedef struct {
  CK_ULONG smallest_key, largest_key;
  CK_FLAGS flags;
} CK_MECHANISM_INFO;

struct CK_FUNCTION_LIST;

/*
 * The 68 functions in the order of the list: F(kind, name, parameters, the same as arguments). The kind says
 * what a function hangs on: MODULE, SLOT (its first parameter is a slot) or SESSION (a session). OWN are the
 * two that are neither forwarded nor counted: one answers this very list, the other one blocks by design.
 */
#define CK_FUNCTIONS(F) \
  F(MODULE, C_Initialize, (void *a), (a)) \
  F(MODULE, C_Finalize, (void *a), (a)) \
  F(MODULE, C_GetInfo, (CK_INFO *a), (a)) \
  F(OWN, C_GetFunctionList, (struct CK_FUNCTION_LIST **a), (a)) \
  F(MODULE, C_GetSlotList, (CK_BBOOL a, CK_SLOT_ID *b, CK_ULONG *c), (a, b, c)) \
  F(MODULE, C_GetSlotInfo, (CK_ULONG a, CK_SLOT_INFO *b), (a, b)) \
  F(SLOT, C_GetTokenInfo, (CK_ULONG a, CK_TOKEN_INFO *b), (a, b)) \
  F(SLOT, C_GetMechanismList, (CK_ULONG a, void *b, void *c), (a, b, c)) \
  F(SLOT, C_GetMechanismInfo, (CK_ULONG a, CK_ULONG b, CK_MECHANISM_INFO *c), (a, b, c)) \
  F(SLOT, C_InitToken, (CK_ULONG a, void *b, CK_ULONG c, void *d), (a, b, c, d)) \
  F(SESSION, C_InitPIN, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_SetPIN, (CK_ULONG a, void *b, CK_ULONG c, void *d, CK_ULONG e), (a, b, c, d, e)) \
  F(SLOT, C_OpenSession, (CK_ULONG a, CK_ULONG b, void *c, void *d, CK_ULONG *e), (a, b, c, d, e)) \
  F(SESSION, C_CloseSession, (CK_ULONG a), (a)) \
  F(SLOT, C_CloseAllSessions, (CK_ULONG a), (a)) \
  F(SESSION, C_GetSessionInfo, (CK_ULONG a, void *b), (a, b)) \
  F(SESSION, C_GetOperationState, (CK_ULONG a, void *b, void *c), (a, b, c)) \
  F(SESSION, C_SetOperationState, (CK_ULONG a, void *b, CK_ULONG c, CK_ULONG d, CK_ULONG e), \
    (a, b, c, d, e)) \
  F(SESSION, C_Login, (CK_ULONG a, CK_ULONG b, void *c, CK_ULONG d), (a, b, c, d)) \
  F(SESSION, C_Logout, (CK_ULONG a), (a)) \
  F(SESSION, C_CreateObject, (CK_ULONG a, CK_ATTRIBUTE *b, CK_ULONG c, CK_ULONG *d), (a, b, c, d)) \
  F(SESSION, C_CopyObject, (CK_ULONG a, CK_ULONG b, void *c, CK_ULONG d, void *e), (a, b, c, d, e)) \
  F(SESSION, C_DestroyObject, (CK_ULONG a, CK_ULONG b), (a, b)) \
  F(SESSION, C_GetObjectSize, (CK_ULONG a, CK_ULONG b, void *c), (a, b, c)) \
  F(SESSION, C_GetAttributeValue, (CK_ULONG a, CK_ULONG b, CK_ATTRIBUTE *c, CK_ULONG d), (a, b, c, d)) \
  F(SESSION, C_SetAttributeValue, (CK_ULONG a, CK_ULONG b, void *c, CK_ULONG d), (a, b, c, d)) \
  F(SESSION, C_FindObjectsInit, (CK_ULONG a, CK_ATTRIBUTE *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_FindObjects, (CK_ULONG a, CK_ULONG *b, CK_ULONG c, CK_ULONG *d), (a, b, c, d)) \
  F(SESSION, C_FindObjectsFinal, (CK_ULONG a), (a)) \
  F(SESSION, C_EncryptInit, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_Encrypt, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), (a, b, c, d, e)) \
  F(SESSION, C_EncryptUpdate, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), (a, b, c, d, e)) \
  F(SESSION, C_EncryptFinal, (CK_ULONG a, void *b, void *c), (a, b, c)) \
  F(SESSION, C_DecryptInit, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_Decrypt, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), (a, b, c, d, e)) \
  F(SESSION, C_DecryptUpdate, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), (a, b, c, d, e)) \
  F(SESSION, C_DecryptFinal, (CK_ULONG a, void *b, void *c), (a, b, c)) \
  F(SESSION, C_DigestInit, (CK_ULONG a, void *b), (a, b)) \
  F(SESSION, C_Digest, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), (a, b, c, d, e)) \
  F(SESSION, C_DigestUpdate, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_DigestKey, (CK_ULONG a, CK_ULONG b), (a, b)) \
  F(SESSION, C_DigestFinal, (CK_ULONG a, void *b, void *c), (a, b, c)) \
  F(SESSION, C_SignInit, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_Sign, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), (a, b, c, d, e)) \
  F(SESSION, C_SignUpdate, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_SignFinal, (CK_ULONG a, void *b, void *c), (a, b, c)) \
  F(SESSION, C_SignRecoverInit, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_SignRecover, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), (a, b, c, d, e)) \
  F(SESSION, C_VerifyInit, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_Verify, (CK_ULONG a, void *b, CK_ULONG c, void *d, CK_ULONG e), (a, b, c, d, e)) \
  F(SESSION, C_VerifyUpdate, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_VerifyFinal, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_VerifyRecoverInit, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_VerifyRecover, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), (a, b, c, d, e)) \
  F(SESSION, C_DigestEncryptUpdate, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), \
    (a, b, c, d, e)) \
  F(SESSION, C_DecryptDigestUpdate, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), \
    (a, b, c, d, e)) \
  F(SESSION, C_SignEncryptUpdate, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), \
    (a, b, c, d, e)) \
  F(SESSION, C_DecryptVerifyUpdate, (CK_ULONG a, void *b, CK_ULONG c, void *d, void *e), \
    (a, b, c, d, e)) \
  F(SESSION, C_GenerateKey, (CK_ULONG a, void *b, void *c, CK_ULONG d, void *e), (a, b, c, d, e)) \
  F(SESSION, C_GenerateKeyPair, \
    (CK_ULONG a, void *b, CK_ATTRIBUTE *c, CK_ULONG d, CK_ATTRIBUTE *e, CK_ULONG f, CK_ULONG *g, \
     CK_ULONG *h), \
    (a, b, c, d, e, f, g, h)) \
  F(SESSION, C_WrapKey, (CK_ULONG a, void *b, CK_ULONG c, CK_ULONG d, void *e, void *f), \
    (a, b, c, d, e, f)) \
  F(SESSION, C_UnwrapKey, \
    (CK_ULONG a, void *b, CK_ULONG c, void *d, CK_ULONG e, void *f, CK_ULONG g, void *h), \
    (a, b, c, d, e, f, g, h)) \
  F(SESSION, C_DeriveKey, (CK_ULONG a, void *b, CK_ULONG c, void *d, CK_ULONG e, void *f), \
    (a, b, c, d, e, f)) \
  F(SESSION, C_SeedRandom, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_GenerateRandom, (CK_ULONG a, void *b, CK_ULONG c), (a, b, c)) \
  F(SESSION, C_GetFunctionStatus, (CK_ULONG a), (a)) \
  F(SESSION, C_CancelFunction, (CK_ULONG a), (a)) \
  F(OWN, C_WaitForSlotEvent, (CK_ULONG a, void *b, void *c), (a, b, c))

typedef struct CK_FUNCTION_LIST {
  CK_VERSION version;
#define CK_MEMBER(kind, name, parameters, arguments) CK_RV(*name) parameters;
  CK_FUNCTIONS(CK_MEMBER)
#undef CK_MEMBER
} CK_FUNCTION_LIST;

#endif
