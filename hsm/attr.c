#include "hsm/attr.h"

#include <stdio.h>
#include <string.h>

enum want { YES, NO, IF_WRAPS, IF_CRYPTS };

/* In the order of the template. SoftHSM refuses what follows CKA_MODIFIABLE
 * = false in a template and leaves a half-made object: it is last. */
static const struct rule {
	CK_ATTRIBUTE_TYPE type;
	const char *name;
	enum want want;
	bool optional;
} rules[] = {
    {CKA_TOKEN, "CKA_TOKEN", YES, false},
    {CKA_PRIVATE, "CKA_PRIVATE", YES, false},
    {CKA_SENSITIVE, "CKA_SENSITIVE", YES, false},
    {CKA_EXTRACTABLE, "CKA_EXTRACTABLE", NO, false},
    {CKA_WRAP, "CKA_WRAP", IF_WRAPS, false},
    {CKA_UNWRAP, "CKA_UNWRAP", IF_WRAPS, false},
    {CKA_ENCRYPT, "CKA_ENCRYPT", IF_CRYPTS, false},
    {CKA_DECRYPT, "CKA_DECRYPT", IF_CRYPTS, false},
    {CKA_SIGN, "CKA_SIGN", NO, false},
    {CKA_VERIFY, "CKA_VERIFY", NO, false},
    {CKA_DERIVE, "CKA_DERIVE", NO, false},
    {CKA_COPYABLE, "CKA_COPYABLE", NO, true},
    {CKA_MODIFIABLE, "CKA_MODIFIABLE", NO, true},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

/* What the token answered, in the order of rules; then type and length. */
struct found {
	CK_BBOOL flag[RULES];
	bool stated[RULES];
	CK_ULONG key_type, value_len;
	bool type_stated;
};

static bool
wanted(const struct rule *r, bool wraps)
{
	switch (r->want) {
	case YES:
		return true;
	case IF_WRAPS:
		return wraps;
	case IF_CRYPTS:
		return !wraps;
	case NO:
		break;
	}
	return false;
}

void
hsm_attr_template(struct hsm_template *t, enum kms_mech mech,
    const CK_MECHANISM_TYPE *mechanism, unsigned less)
{
	bool wraps = hsm_mech_wraps(mech);

	for (size_t i = 0; i < RULES; i++) {
		const struct rule *r = &rules[i];

		if (r->type == CKA_COPYABLE && less < 1)
			hsm_template_bytes(t, CKA_ALLOWED_MECHANISMS, mechanism,
			    sizeof(*mechanism));
		if (r->type == CKA_COPYABLE && less >= 2)
			continue;
		hsm_template_bool(t, r->type, wanted(r, wraps));
	}
}

/* All in one call: an attribute that it does not know or show, the token marks
 * with length -1, answers with an error, and fills in the others all the same
 * (PKCS#11 C_GetAttributeValue). */
static int
read_all(struct hsm_session *s, CK_OBJECT_HANDLE h, struct found *f)
{
	CK_ATTRIBUTE a[RULES + 2];
	CK_RV rv;

	memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < RULES; i++)
		a[i] = (CK_ATTRIBUTE){rules[i].type, &f->flag[i], 1};
	a[RULES] = (CK_ATTRIBUTE){CKA_KEY_TYPE, &f->key_type,
	    sizeof(f->key_type)};
	a[RULES + 1] = (CK_ATTRIBUTE){CKA_VALUE_LEN, &f->value_len,
	    sizeof(f->value_len)};
	rv = s->f->C_GetAttributeValue(s->h, h, a, RULES + 2);
	if (rv != CKR_OK && rv != CKR_ATTRIBUTE_TYPE_INVALID &&
	    rv != CKR_ATTRIBUTE_SENSITIVE)
		return hsm_session_fail(s, rv, "C_GetAttributeValue");
	for (size_t i = 0; i < RULES; i++)
		f->stated[i] = a[i].ulValueLen == 1;
	f->type_stated = a[RULES].ulValueLen == sizeof(f->key_type);
	if (a[RULES + 1].ulValueLen != sizeof(f->value_len))
		f->value_len = 0;
	return 0;
}

static bool
is_right(const struct found *f, size_t i, bool wraps)
{
	if (!f->stated[i])
		return rules[i].optional;
	return (f->flag[i] != CK_FALSE) == wanted(&rules[i], wraps);
}

/* SoftHSM says 0 of a key that came in by C_UnwrapKey: then the self-test has
 * the host open what it wrapped, which only AES-256 does. */
static bool
len_is_right(const struct found *f)
{
	return f->value_len == 0 || f->value_len == KMS_KEY_LEN;
}

/* What is behind the two that common tools leave on. */
static const char *
advice(CK_ATTRIBUTE_TYPE type)
{
	if (type != CKA_COPYABLE && type != CKA_MODIFIABLE)
		return "";
	return "; else whoever has the PIN adds a usage to it, and the token "
	       "shows data keys: make one so";
}

static const char *
flag_text(bool on)
{
	return on ? "true" : "false";
}

int
hsm_attr_check(struct hsm_session *s, CK_OBJECT_HANDLE h, enum kms_mech mech)
{
	bool wraps = hsm_mech_wraps(mech);
	struct found f;
	int r;

	r = read_all(s, h, &f);
	if (r != 0)
		return r;
	if (!f.type_stated || f.key_type != CKK_AES)
		return kms_fail(KMS_ERR_MASTER,
		    "is not an AES key; name one of AES-256");
	if (!len_is_right(&f))
		return kms_fail(KMS_ERR_MASTER,
		    "CKA_VALUE_LEN is %lu, not 32; name a key of AES-256",
		    f.value_len);
	for (size_t i = 0; i < RULES; i++) {
		if (is_right(&f, i, wraps))
			continue;
		return kms_fail(KMS_ERR_MASTER, "%s is %s, must be %s for %s%s",
		    rules[i].name,
		    f.stated[i] ? flag_text(f.flag[i] != CK_FALSE)
				: "not stated",
		    flag_text(wanted(&rules[i], wraps)), hsm_mech_name(mech),
		    advice(rules[i].type));
	}
	return 0;
}

static void
add_line(struct kms_attr_report *to, const char *name, const char *required,
    const char *found, bool ok)
{
	struct kms_attr_line *l;

	if (to->n >= KMS_ATTR_LINES)
		return;
	l = &to->line[to->n++];
	(void)snprintf(l->name, sizeof(l->name), "%s", name);
	(void)snprintf(l->required, sizeof(l->required), "%s", required);
	(void)snprintf(l->found, sizeof(l->found), "%s", found);
	l->ok = ok;
}

static void
report_numbers(const struct found *f, struct kms_attr_report *to)
{
	char text[24] = "not stated";
	bool ok = f->type_stated && f->key_type == CKK_AES;

	add_line(to, "CKA_KEY_TYPE", "AES", ok ? "AES" : "another", ok);
	if (f->value_len != 0)
		(void)snprintf(text, sizeof(text), "%lu", f->value_len);
	add_line(to, "CKA_VALUE_LEN", "32", text, len_is_right(f));
}

static bool
may_wrap(const struct found *f)
{
	for (size_t i = 0; i < RULES; i++) {
		if (rules[i].type == CKA_WRAP)
			return f->stated[i] && f->flag[i] != CK_FALSE;
	}
	return false;
}

int
hsm_attr_report(struct hsm_session *s, CK_OBJECT_HANDLE h, enum kms_mech mech,
    struct kms_attr_report *to, bool *right)
{
	struct found f;
	bool wraps;
	int r;

	to->n = 0;
	to->mech = mech;
	*right = true;
	r = read_all(s, h, &f);
	if (r != 0)
		return r;
	wraps = mech == KMS_MECH_NONE ? may_wrap(&f) : hsm_mech_wraps(mech);
	report_numbers(&f, to);
	for (size_t i = 0; i < RULES; i++) {
		bool set = f.flag[i] != CK_FALSE;

		add_line(to, rules[i].name, flag_text(wanted(&rules[i], wraps)),
		    f.stated[i] ? flag_text(set) : "not stated",
		    is_right(&f, i, wraps));
	}
	for (size_t i = 0; i < to->n; i++)
		*right = *right && to->line[i].ok;
	return 0;
}

int
hsm_attr_wraps(struct hsm_session *s, CK_OBJECT_HANDLE h, bool *wraps)
{
	struct found f;
	int r;

	r = read_all(s, h, &f);
	if (r == 0)
		*wraps = may_wrap(&f);
	return r;
}
