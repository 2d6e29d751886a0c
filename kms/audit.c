#include "kms/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kms/base/file.h"
#include "kms/base/log.h"

static int
copy(char *out, size_t cap, const char *text, const char *what)
{
	size_t n;

	if (text == NULL)
		return 0;
	n = strlen(text);
	if (n >= cap)
		return kms_fail(KMS_ERR_USAGE,
		    "%s: %zu bytes, at most %zu are kept", what, n, cap - 1);
	memcpy(out, text, n + 1);
	return 0;
}

int
kms_audit_of_step(struct kms_record *record, const struct kms_who *who,
    const struct kms_step *step, int64_t time)
{
	struct kms_audit *a = &record->u.audit;
	int r;

	*record = (struct kms_record){.kind = KMS_KIND_AUDIT};
	a->event = (uint16_t)step->event;
	a->forced = step->forced;
	a->time = time;
	a->who = *who;
	if (step->tag != NULL)
		a->tag = *step->tag;
	r = copy(a->group, sizeof(a->group), step->group, "group name");
	if (r == 0)
		r = copy(a->subject, sizeof(a->subject), step->subject, "name");
	if (r == 0)
		r = copy(a->reason, sizeof(a->reason), step->reason, "reason");
	if (r == 0 && step->reason != NULL)
		r = kms_text_check("reason", step->reason);
	return r;
}

void
kms_audit_tell(const struct kms_audit *a, uint64_t generation)
{
	char who[KMS_LOG_QUOTED], group[KMS_LOG_QUOTED], name[KMS_LOG_QUOTED];
	char reason[KMS_LOG_QUOTED], tag[KMS_TAG_TEXT] = "";

	if (!kms_log_wants(KMS_LOG_INFO))
		return;
	if (a->tag.len > 0)
		kms_tag_text(&a->tag, tag);
	kms_log(KMS_LOG_INFO, kms_event_name(a->event),
	    "generation=%llu forced=%u actor=%s group=%s name=%s tag=%s "
	    "reason=%s",
	    (unsigned long long)generation, a->forced,
	    kms_log_quote(who, sizeof(who), a->who.name),
	    kms_log_quote(group, sizeof(group), a->group),
	    kms_log_quote(name, sizeof(name), a->subject), tag,
	    kms_log_quote(reason, sizeof(reason), a->reason));
}

void
kms_tally_note(struct kms_tally *t, unsigned event, bool forced)
{
	t->forced += forced;
	t->waived += event == KMS_EVENT_KEY_ALLOWSERVE;
}

/* Who logged in, kept by the kernel through su and sudo. */
static uint32_t
login_uid(void)
{
	char text[16] = "";
	unsigned long n;
	size_t len = 0;
	char *end;

	if (kms_file_read("/proc/self/loginuid", sizeof(text) - 1, text,
		&len) != 0) {
		kms_err_clear();
		return UINT32_MAX;
	}
	text[len] = '\0';
	n = strtoul(text, &end, 10);
	return end == text || n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* Only what could be a name: it comes from the environment. */
static void
copy_word(char *out, size_t cap, const char *text)
{
	size_t i;

	for (i = 0; text != NULL && text[i] != '\0' && i < cap - 1; i++)
		out[i] = text[i] > ' ' && text[i] <= '~' ? text[i] : '?';
	out[i] = '\0';
}

void
kms_audit_who_local(struct kms_who *who)
{
	char host[64] = "";

	*who = (struct kms_who){.uid = (uint32_t)getuid()};
	snprintf(who->name, sizeof(who->name), "uid:%u", (unsigned)who->uid);
	who->login_uid = login_uid();
	copy_word(who->sudo_user, sizeof(who->sudo_user), getenv("SUDO_USER"));
	if (gethostname(host, sizeof(host) - 1) == 0)
		copy_word(who->host, sizeof(who->host), host);
}
