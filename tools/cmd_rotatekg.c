#include "tools/cmd_rotatekg.h"

#include <stdlib.h>

#include "kms/rotate.h"
#include "tools/open.h"
#include "tools/print.h"

struct job {
	struct open at;
	struct kms_rotate rotate;
	struct kms_rotate_view view;
	struct kms_backup backup;
	struct kms_material material;
};

static int
ask_phrase(const struct open *at, struct kms_secret **phrase)
{
	const struct prompt_ask ask = {
	    .what = "key passphrase",
	    .min = at->config->policy.phrase_min,
	    .twice = true,
	    .may_be_empty = true,
	};

	*phrase = NULL;
	if (cli_has(at->cli, "nopphrase"))
		return 0;
	return prompt_phrase_alone(&ask, phrase);
}

/* A phrase is asked for only when a key is to be made of it. */
static int
make_material(struct job *j)
{
	struct kms_store *store = j->at.store;
	struct kms_secret *phrase = NULL;
	int r;

	r = ask_phrase(&j->at, &phrase);
	if (r == 0 && phrase != NULL)
		r = kms_material_phrase(store, phrase, &j->material);
	else if (r == 0 && j->view.has_phrase)
		r = kms_material_group(store, j->rotate.group, &j->material);
	else if (r == 0)
		r = kms_material_random(store, &j->material);
	kms_secret_free(&phrase);
	return r;
}

static int
show(const struct job *j, bool rotated)
{
	struct print *p = NULL;
	int r = print_new(print_form(j->at.cli), NULL, &p);

	if (r != 0)
		return r;
	print_bool(p, "rotated", "Rotated", rotated);
	print_text(p, "backup", "Backup",
	    j->backup.generation != 0 ? j->backup.path : NULL);
	print_list(p, "keys");
	r = print_key(p, &j->view.active);
	if (r == 0)
		return print_end(&p);
	print_free(&p);
	return r;
}

static int
run(struct job *j)
{
	const struct kms_material *material = NULL;
	bool due;
	int r;

	r = kms_rotate_look(j->at.store, &j->at.actor, &j->rotate, &j->view);
	due = j->view.step != KMS_ROTATE_NOTHING;
	if (r == 0 && j->view.step == KMS_ROTATE_MAKE) {
		r = make_material(j);
		material = &j->material;
	}
	if (r == 0 && due) {
		r = kms_rotate(j->at.store, &j->at.actor, &j->rotate, material,
		    &j->view, &j->backup);
		due = j->view.step != KMS_ROTATE_NOTHING;
	}
	return r == 0 ? show(j, due) : r;
}

int
cmd_rotatekg(struct cli *cli)
{
	const char *age = cli_value(cli, "older_than");
	struct job *j = calloc(1, sizeof(*j));
	uint64_t seconds = 0;
	int r = 0;

	if (j == NULL)
		return kms_fail(KMS_ERR_MEMORY, "rotation: out of memory");
	if (age != NULL)
		r = cli_duration(age, &seconds);
	if (r == 0 && seconds > INT64_MAX / 1000000)
		r = kms_fail(KMS_ERR_USAGE, "-older_than %s: too long", age);
	if (r == 0)
		r = open_all(&j->at, cli);
	if (r == 0) {
		j->rotate = (struct kms_rotate){
		    .group = cli_value(cli, "kgname"),
		    .older_than = (int64_t)seconds * 1000000,
		    .keep = j->at.config->backup.keep,
		};
		r = run(j);
	}
	open_close(&j->at);
	free(j);
	return r;
}
