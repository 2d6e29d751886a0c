/*
 * What may be wrong with store, token, host and configuration, before it is
 * needed: one finding for each check, each with the next step. Nothing is
 * changed.
 */
#ifndef TOOLS_DOCTOR_H
#define TOOLS_DOCTOR_H

#include "tools/open.h"
#include "tools/print.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_PROBLEM };

struct doctor {
	struct open
	    *at; /* configuration and owner; the rest as far as it goes */
	struct print *print;
	size_t warnings, problems;
};

/* One finding. next: what to do, NULL with OK. */
void doctor_say(struct doctor *, enum doctor_level, const char *check,
    const char *next, const char *fmt, ...) KMS_PRINTF(5, 6);
/* An error of ours as a finding: its text up to the semicolon, and the next
 * step behind it. Forgets the error. */
void doctor_say_error(struct doctor *, enum doctor_level, const char *check,
    int r);
/* Whole days from then to now; 0 for a time to come. */
uint64_t doctor_days_since(int64_t us);
/* "A, B, C and 4 more", as much as fits. */
struct doctor_names {
	char text[256];
	size_t n, named; /* how many, and how many the text names */
};
void doctor_name(struct doctor_names *, const char *);
const char *doctor_names_text(struct doctor_names *);

/* Files, memory, gates, certificates: what the host alone tells. */
void doctor_host(struct doctor *);
/* The token's state and PIN, then login; 0 when it is open. */
int doctor_token(struct doctor *);
/* The header alone, without a token: rotations left half way. */
void doctor_header(struct doctor *);
/* Everything inside the open store. */
int doctor_store(struct doctor *) KMS_MUST;

#endif
