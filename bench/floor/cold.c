/*
 * The least that any program must do before it can use the store's keys: load
 * the module, log in, find both master keys. What bench_cold compares with;
 * so it checks little and is linked with libc alone.
 *
 *   cold MODULE LABEL PIN-FILE
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/pkcs11.h>

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "cold: %s\n", what);
	exit(1);
}

static CK_FUNCTION_LIST *
load(const char *path)
{
	void *dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_FUNCTION_LIST *f = NULL;
	CK_C_GetFunctionList get;
	void *symbol;

	must(dl != NULL, "module");
	symbol = dlsym(dl, "C_GetFunctionList");
	must(symbol != NULL, "C_GetFunctionList");
	memcpy(&get, &symbol, sizeof(get));
	must(get(&f) == CKR_OK, "function list");
	return f;
}

static CK_SLOT_ID
find_slot(CK_FUNCTION_LIST *f, const char *label)
{
	CK_TOKEN_INFO info;
	CK_SLOT_ID slot[16];
	CK_ULONG n = 16;
	char padded[33];

	snprintf(padded, sizeof(padded), "%-32s", label);
	must(f->C_GetSlotList(CK_TRUE, slot, &n) == CKR_OK, "slots");
	for (CK_ULONG i = 0; i < n; i++)
		if (f->C_GetTokenInfo(slot[i], &info) == CKR_OK &&
		    memcmp(info.label, padded, 32) == 0)
			return slot[i];
	must(0, "no such token");
	return 0;
}

static void
login(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, const char *pin_file)
{
	char pin[256] = "";
	FILE *in = fopen(pin_file, "r");

	must(in != NULL && fgets(pin, sizeof(pin), in) != NULL, "PIN");
	fclose(in);
	pin[strcspn(pin, "\n")] = '\0';
	must(f->C_Login(s, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin)) == CKR_OK,
	    "C_Login");
}

static void
find(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, const char *begin)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE want = {CKA_CLASS, &class, sizeof(class)};
	CK_OBJECT_HANDLE h[16];
	char label[64] = "";
	CK_ATTRIBUTE ask = {CKA_LABEL, label, sizeof(label) - 1};
	CK_ULONG n = 0, found = 0;

	must(f->C_FindObjectsInit(s, &want, 1) == CKR_OK &&
		f->C_FindObjects(s, h, 16, &n) == CKR_OK &&
		f->C_FindObjectsFinal(s) == CKR_OK,
	    "C_FindObjects");
	for (CK_ULONG i = 0; i < n; i++) {
		ask.ulValueLen = sizeof(label) - 1;
		memset(label, 0, sizeof(label));
		must(f->C_GetAttributeValue(s, h[i], &ask, 1) == CKR_OK,
		    "label");
		found += strncmp(label, begin, strlen(begin)) == 0;
	}
	must(found == 1, begin);
}

int
main(int argc, char **argv)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_FUNCTION_LIST *f;
	CK_SESSION_HANDLE s;

	must(argc == 4, "usage: cold MODULE LABEL PIN-FILE");
	f = load(argv[1]);
	must(f->C_Initialize(&args) == CKR_OK, "C_Initialize");
	must(f->C_OpenSession(find_slot(f, argv[2]), CKF_SERIAL_SESSION, NULL,
		 NULL, &s) == CKR_OK,
	    "C_OpenSession");
	login(f, s, argv[3]);
	find(f, s, "p11kms HMK");
	find(f, s, "p11kms KPK");
	must(f->C_Finalize(NULL) == CKR_OK, "C_Finalize");
	return 0;
}
