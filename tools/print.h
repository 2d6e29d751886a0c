/*
 * Answers: records with NetBackup's labels, one line each (tabs between the
 * fields), or JSON. Collected first and written by print_end, so that no lock
 * is held while a pipe is slow and nothing is shown before it is committed.
 */
#ifndef TOOLS_PRINT_H
#define TOOLS_PRINT_H

#include <stdio.h>

#include "kms/base/sealer.h"
#include "kms/group.h"
#include "kms/key.h"
#include "tools/cli.h"

struct print;

enum print_form { PRINT_RECORDS, PRINT_LINES, PRINT_JSON };

/* What -json and -noverbose ask for. */
enum print_form print_form(const struct cli *);

/* list: as print_list; NULL: fields of one object come first. */
int print_new(enum print_form, const char *list, struct print **) KMS_MUST;
/* Writes to standard output, frees and nulls; the sticky error of all calls
 * before. print_free drops what was collected. */
int print_end(struct print **) KMS_MUST;
void print_free(struct print **);

/*
 * For lists of any length: from here on each record is written to that file
 * when the next one begins, and a list of this name follows. No locks are held
 * by whoever calls; print_end does not close it.
 */
void print_stream(struct print *, const char *name, FILE *);

/* From here on records follow, in JSON as an array of this name. */
void print_list(struct print *, const char *name);
/* Begins the next record of a list. */
void print_record(struct print *);

/* One field: its JSON name and its label (NULL: not in that form). A NULL
 * text is null; a time is microseconds, 0 for never. */
void print_text(struct print *, const char *name, const char *label,
    const char *value);
void print_number(struct print *, const char *name, const char *label,
    uint64_t value);
void print_bool(struct print *, const char *name, const char *label,
    bool value);
void print_time(struct print *, const char *name, const char *label,
    int64_t us);

/* The trailer of a listing of records: "Number of Keys: 3". */
void print_count(struct print *, const char *label, size_t n);

/*
 * How far a long work has come: one line on standard error that is written
 * over, where that is a terminal; else nothing. Begins zeroed.
 */
struct print_line {
	int64_t shown; /* when, monotonic ms */
	bool open;     /* there is one to be ended */
};
void print_progress(struct print_line *, const char *did, uint64_t done,
    uint64_t all);
void print_progress_end(struct print_line *);

/* The two records that many operations show; a print's `each` callbacks. */
int print_key(void *print, const struct kms_key_view *);
int print_group(void *print, const struct kms_group_view *);
/* One master key's attributes: a table, in JSON one record each. origin may
 * be NULL. */
void print_attributes(struct print *, const char *role, const char *origin,
    const struct kms_attr_report *);

#endif
