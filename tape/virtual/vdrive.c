#include "tape/virtual/vdrive.h"

#include <stdlib.h>
#include <string.h>

#include "kms/base/log.h"

int
vt_drive_new(const struct vt_options *opt, struct vt_drive **out)
{
	*out = NULL;
	const struct vt_personality *kind = vt_personality_find(opt->generation,
	    opt->lenient);
	if (!kind)
		return kms_fail(KMS_ERR_USAGE, "generation %u: give 4 to 9",
		    opt->generation);
	struct vt_drive *d = calloc(1, sizeof(*d));
	if (d)
		d->scratch = malloc(VT_BLOCK_MAX + VT_RECORD_LEN);
	if (!d || !d->scratch) {
		free(d);
		return kms_fail(KMS_ERR_MEMORY, "drive: out of memory");
	}
	d->opt = *opt;
	d->opt.serial = NULL;
	memcpy(d->serial, opt->serial,
	    strnlen(opt->serial, sizeof(d->serial) - 1));
	d->kind = *kind;
	if (opt->fixed_kads)
		d->kind.algorithm.u_fixed = d->kind.algorithm.a_fixed = true;
	d->buffered = d->compress = true;
	*out = d;
	return 0;
}

void
vt_drive_free(struct vt_drive **pd)
{
	struct vt_drive *d = pd ? *pd : NULL;

	if (!d)
		return;
	for (size_t i = 0; i < VT_NEXUS_MAX; i++)
		vt_drive_leave(d, &d->nexus[i]);
	vt_param_clear(&d->shared);
	vt_cartridge_close(&d->tape);
	free(d->scratch);
	free(d);
	*pd = NULL;
}

int
vt_drive_join(struct vt_drive *d, struct vt_nexus **out)
{
	*out = NULL;
	for (size_t i = 0; i < VT_NEXUS_MAX; i++) {
		if (d->nexus[i])
			continue;
		struct vt_nexus *n = calloc(1, sizeof(*n));
		if (!n)
			return kms_fail(KMS_ERR_MEMORY, "nexus: no memory");
		d->nexus[i] = *out = n;
		return 0;
	}
	return kms_fail(KMS_ERR_LIMIT, "drive: more than %u initiators",
	    VT_NEXUS_MAX);
}

void
vt_drive_leave(struct vt_drive *d, struct vt_nexus **pn)
{
	struct vt_nexus *n = *pn;

	if (!n)
		return;
	if (d->reserved == n)
		vt_drive_release(d);
	for (size_t i = 0; i < VT_NEXUS_MAX; i++)
		if (d->nexus[i] == n)
			d->nexus[i] = NULL;
	vt_param_clear(&n->local);
	free(n);
	*pn = NULL;
}

void
vt_drive_tell(struct vt_drive *d, const struct vt_nexus *except,
    enum vt_attention what)
{
	for (size_t i = 0; i < VT_NEXUS_MAX; i++)
		if (d->nexus[i] && d->nexus[i] != except)
			d->nexus[i]->attention |= what;
}

struct vt_param *
vt_drive_param(struct vt_drive *d, struct vt_nexus *n)
{
	return n->scope == TAPE_SCOPE_LOCAL ? &n->local : &d->shared;
}

/* A key that goes is a change too: whoever LOCKed to it must notice. */
static void
forget(struct vt_drive *d, struct vt_param *p)
{
	vt_param_clear(p);
	p->kic = ++d->kic;
}

void
vt_drive_release(struct vt_drive *d)
{
	struct vt_param *p = vt_drive_param(d, d->reserved);

	if (p->ckorl)
		forget(d, p);
	d->reserved = NULL;
}

static void
clear_at_demount(struct vt_drive *d, struct vt_param *p)
{
	if (p->ckod)
		forget(d, p);
}

void
vt_drive_demount(struct vt_drive *d)
{
	if (!d->loaded)
		return;
	/* Lenient: the VTL it takes after knows CKOD, and keeps the key. */
	if (!d->opt.lenient) {
		clear_at_demount(d, &d->shared);
		for (size_t i = 0; i < VT_NEXUS_MAX; i++)
			if (d->nexus[i])
				clear_at_demount(d, &d->nexus[i]->local);
	}
	d->loaded = false;
	d->at = 0;
	d->wrong_keys = d->wrong_kic = 0;
}

void
vt_drive_load(struct vt_drive *d)
{
	d->loaded = d->tape != NULL;
	d->loads += d->loaded;
	d->at = 0;
}

/* What a tape has lost must not go unnoticed. */
static void
tape_report(const struct vt_cartridge *c)
{
	const char *barcode = vt_cartridge_header(c)->barcode;
	unsigned long long end = vt_cartridge_end(c);

	kms_log(KMS_LOG_INFO, "vtape.insert", "barcode=%s objects=%llu",
	    barcode, end);
	if (vt_cartridge_damaged(c))
		kms_log(KMS_LOG_ERROR, "vtape.damaged",
		    "barcode=%s readable=%llu", barcode, end);
	else if (vt_cartridge_torn(c) > 0)
		kms_log(KMS_LOG_WARN, "vtape.torn", "barcode=%s bytes=%llu",
		    barcode, (unsigned long long)vt_cartridge_torn(c));
}

int
vt_drive_insert(struct vt_drive *d, struct vt_cartridge **pc)
{
	unsigned generation = vt_cartridge_header(*pc)->generation;

	if (d->tape)
		return kms_fail(KMS_ERR_EXISTS,
		    "the drive holds a cartridge; eject it first");
	if (generation > d->kind.generation || generation < d->kind.reads_from)
		return kms_fail(KMS_ERR_USAGE,
		    "an LTO-%u drive cannot read an LTO-%u cartridge",
		    d->kind.generation, generation);
	d->tape = *pc;
	*pc = NULL;
	tape_report(d->tape);
	vt_drive_load(d);
	vt_drive_tell(d, NULL, VT_ATTENTION_MEDIUM);
	return 0;
}

int
vt_drive_eject(struct vt_drive *d)
{
	if (!d->tape)
		return kms_fail(KMS_ERR_NOTFOUND, "the drive is empty");
	for (size_t i = 0; i < VT_NEXUS_MAX; i++)
		if (d->loaded && d->nexus[i] && d->nexus[i]->prevents)
			return kms_fail(KMS_ERR_STATE,
			    "an initiator prevents removal of the tape");
	vt_drive_demount(d);
	vt_cartridge_close(&d->tape);
	return 0;
}

void
vt_drive_reset(struct vt_drive *d)
{
	d->reserved = NULL;
	vt_param_clear(&d->shared);
	for (size_t i = 0; i < VT_NEXUS_MAX; i++)
		if (d->nexus[i])
			vt_nexus_reset(d->nexus[i]);
	d->kic = 0;
	d->wrong_keys = d->wrong_kic = 0;
	d->block_len = 0;
	d->descriptor_sense = false;
	d->buffered = d->compress = true;
	vt_drive_load(d);
}

bool
vt_drive_can_write(const struct vt_drive *d)
{
	return !vt_cartridge_protected(d->tape);
}
