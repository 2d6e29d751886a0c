#include "kms/kmip/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kms/base/log.h"
#include "kms/kmip/reason.h"

/* Left for the other items and the frame when one item's room is reckoned. */
#define ITEM_RESERVE 512u

/* All of one message; too big for a stack. */
struct run {
	struct kmip_batch b;
	struct kmip_request req;
	struct kmip_work work[KMIP_BATCH_MAX];
	struct kmip_response res;
};

const uint8_t *
kmip_reply_bytes(const struct kmip_reply *reply, size_t *len)
{
	if (reply->secret != NULL) {
		*len = kms_secret_len(reply->secret);
		return kms_secret_bytes(reply->secret);
	}
	*len = reply->plain.len;
	return reply->plain.p;
}

void
kmip_reply_clear(struct kmip_reply *reply)
{
	kms_secret_free(&reply->secret);
	kms_wr_free(&reply->plain);
}

static uint64_t
micros_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
note_message(struct kmip_answer *a, int code)
{
	(void)snprintf(a->message, sizeof(a->message), "%s",
	    kmip_reason_text(code));
}

/* --- transactions ------------------------------------------------------- */

/* What the items since the last commit have changed is kept, or they have
 * all failed for the same reason. */
static int
commit(struct run *run)
{
	struct kmip_batch *b = &run->b;
	size_t i;
	int r = 0;

	if (b->tx == NULL)
		return 0;
	r = kms_tx_commit(&b->tx);
	b->writing = b->changed = false;
	for (i = 0; i < run->req.n; i++) {
		if (run->work[i].changed && r != 0) {
			run->work[i].code = r;
			note_message(&run->res.answer[i], r);
		}
		run->work[i].changed = false;
	}
	return r;
}

static void
forget(struct kmip_batch *b)
{
	kms_tx_abort(&b->tx);
	b->writing = b->changed = false;
}

static int
begin(struct kmip_batch *b, enum kms_mode mode)
{
	const struct kms_actor *actor = &b->actor->base;
	int r;

	r = kms_tx_begin(b->service->store, actor, mode, &b->tx);
	b->writing = r == 0 && mode == KMS_WRITE;
	if (r == 0 && b->writing)
		r = kmip_index_update(b->service->index, b->tx);
	if (r != 0)
		forget(b);
	return r;
}

/* The transaction that the item needs, and no other. */
static int
enter(struct run *run, const struct kmip_work *w)
{
	struct kmip_batch *b = &run->b;
	bool note;

	switch (w->op->kind) {
	case KMIP_OP_ALONE:
	case KMIP_OP_LOOKS:
		return 0;
	case KMIP_OP_READS:
		return b->tx != NULL ? 0 : begin(b, KMS_READ);
	case KMIP_OP_WRITES:
		/* goes into the log, also while changes are refused */
		note = kmip_op_is_note(w->call);
		return b->tx != NULL ? 0
				     : begin(b, note ? KMS_READ : KMS_WRITE);
	case KMIP_OP_RELEASES:
		break;
	}
	return commit(run);
}

/* --- one item ----------------------------------------------------------- */

/* Bytes its payload may have, so that the answer stays within the client's
 * limit and ours. */
static size_t
room_for(const struct run *run, size_t item)
{
	size_t most = KMIP_MESSAGE_MAX, used = 0, i;

	if (run->req.max_response != 0 && run->req.max_response < most)
		most = run->req.max_response;
	for (i = 0; i < run->req.n; i++)
		used += ITEM_RESERVE +
		    (i < item ? run->work[i].out.len + run->work[i].secret_len
			      : 0);
	return used < most ? most - used : 0;
}

/* An item that failed leaves nothing of itself in the transaction. */
static void
take_back(struct run *run, bool marked)
{
	struct kmip_batch *b = &run->b;

	if (b->writing && marked)
		kms_tx_rewind(b->tx);
}

static int
run_item(struct run *run, size_t i)
{
	struct kmip_batch *b = &run->b;
	struct kmip_work *w = &run->work[i];
	bool before = b->changed, marked = false;
	int r;

	r = enter(run, w);
	if (r != 0)
		return r;
	if (b->writing) {
		r = kms_tx_mark(b->tx);
		marked = r == 0;
	}
	b->room = room_for(run, i);
	if (r == 0)
		r = w->op->run(b, w);
	if (r == 0)
		r = kms_wr_check(&w->out, "response");
	if (r != 0) {
		take_back(run, marked);
		b->changed = before;
	}
	w->changed = r == 0 && b->changed && w->op->kind == KMIP_OP_WRITES;
	if (b->tx != NULL && !b->writing)
		forget(b);
	return r;
}

/* Before anything else: may the client, and can we? */
static int
admit(struct run *run, struct kmip_work *w)
{
	const struct kmip_rule *rule = run->b.actor->rule;
	const char *name = kmip_def_name(KMIP_TABLE_OPERATION, w->call->op);

	w->op = kmip_op_find(w->call->op, run->b.minor);
	if (w->op == NULL)
		return kmip_fail(OPERATION_NOT_SUPPORTED,
		    "%s is not supported in KMIP 1.%u",
		    name == NULL ? "operation" : name, run->b.minor);
	if (!kmip_rule_may_do(rule, w->call->op)) {
		w->op = NULL;
		return kmip_fail(PERMISSION_DENIED,
		    "client '%s' may not %s here", kmip_rule_name(rule), name);
	}
	return 0;
}

/* What is irrevocable cannot be in what may be undone. */
static int
check_undo(const struct run *run)
{
	bool writes = false;
	size_t i;

	if (run->req.on_error != KMIP_BATCH_UNDO)
		return 0;
	for (i = 0; i < run->req.n; i++) {
		const struct kmip_op *op = run->work[i].op;

		if (op == NULL)
			continue;
		writes = writes || op->kind == KMIP_OP_WRITES;
		if (writes && op->kind == KMIP_OP_RELEASES)
			return kmip_fail(FEATURE_NOT_SUPPORTED,
			    "a key that was handed out cannot be undone: ask "
			    "for Stop, or fetch before the changes");
	}
	return 0;
}

/* Slow work first, while nobody waits for us. Its error is the item's, told
 * when its turn comes. */
static void
prepare(struct run *run)
{
	size_t i;

	for (i = 0; i < run->req.n; i++) {
		struct kmip_work *w = &run->work[i];

		w->call = &run->req.call[i];
		kms_wr_grow(&w->out, KMIP_MESSAGE_MAX);
		w->code = admit(run, w);
		if (w->code == 0 && w->op->prepare != NULL)
			w->code = w->op->prepare(&run->b, w);
		if (w->code != 0)
			note_message(&run->res.answer[i], w->code);
	}
}

/* --- answers ------------------------------------------------------------ */

/* A text that was cut must not end within a character. */
static void
trim(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && !kms_utf8(text, n))
		text[--n] = '\0';
}

static void
fill_answer(struct run *run, size_t i)
{
	const struct kmip_work *w = &run->work[i];
	struct kmip_answer *a = &run->res.answer[i];

	a->op = w->call->op;
	a->id_len = w->call->id_len;
	memcpy(a->id, w->call->id, w->call->id_len);
	if (w->code == 0) {
		a->status = KMIP_STATUS_SUCCESS;
		a->payload = w->secret != NULL ? kms_secret_bytes(w->secret)
					       : w->out.p;
		a->payload_len = w->secret != NULL ? w->secret_len : w->out.len;
		return;
	}
	a->status = KMIP_STATUS_OPERATION_FAILED;
	a->reason = kmip_reason_of(w->code);
	trim(a->message);
}

/* After an Undo what earlier items changed has come to nothing. */
static void
mark_undone(struct run *run, size_t failed)
{
	size_t i;

	for (i = 0; i < failed; i++) {
		struct kmip_answer *a = &run->res.answer[i];

		if (!run->work[i].changed)
			continue;
		a->status = KMIP_STATUS_OPERATION_UNDONE;
		a->reason = KMIP_REASON_OPERATION_CANCELED_BY_REQUESTER;
		(void)snprintf(a->message, sizeof(a->message),
		    "undone: a later item of the batch failed");
	}
}

static void
one_answer(struct run *run, int code)
{
	struct kmip_answer *a = &run->res.answer[0];

	memset(a, 0, sizeof(*a));
	run->res.n = 1;
	a->status = KMIP_STATUS_OPERATION_FAILED;
	a->reason = kmip_reason_of(code);
	note_message(a, code);
	trim(a->message);
}

static int
write_reply(struct run *run, struct kmip_reply *reply)
{
	size_t i, size = kmip_msg_response_size(&run->res);
	bool secret = false;
	struct kms_wr wr;
	int r;

	for (i = 0; i < run->req.n; i++)
		secret = secret || run->work[i].secret != NULL;
	if (!secret) {
		kms_wr_grow(&reply->plain, size);
		kmip_msg_put_response(&reply->plain, &run->res);
		return kms_wr_check(&reply->plain, "response");
	}
	r = kms_secret_new(size, &reply->secret);
	if (r != 0)
		return r;
	kms_wr_fixed(&wr, kms_secret_fill(reply->secret), size);
	kmip_msg_put_response(&wr, &run->res);
	return kms_wr_check(&wr, "response");
}

/* --- the whole message -------------------------------------------------- */

/* Runs until the end or the item that stops the batch; how many ran. */
static size_t
run_items(struct run *run)
{
	bool more = true;
	size_t i;

	for (i = 0; i < run->req.n && more; i++) {
		struct kmip_work *w = &run->work[i];
		uint64_t start = micros_now();

		if (w->code == 0) {
			w->code = run_item(run, i);
			if (w->code != 0)
				note_message(&run->res.answer[i], w->code);
		}
		w->micros = micros_now() - start;
		more = w->code == 0 || run->req.on_error == KMIP_BATCH_CONTINUE;
	}
	return i;
}

/* A limit that all answers together pass is found before anything is kept. */
static int
check_size(struct run *run, size_t ran)
{
	size_t i, most = KMIP_MESSAGE_MAX;

	if (run->req.max_response != 0 && run->req.max_response < most)
		most = run->req.max_response;
	for (i = 0; i < ran; i++)
		fill_answer(run, i);
	run->res.n = ran;
	if (kmip_msg_response_size(&run->res) <= most)
		return 0;
	return kmip_fail(RESPONSE_TOO_LARGE,
	    "the answer is over %zu bytes; nothing of the batch since its "
	    "last Get was kept",
	    most);
}

/* A commit at the end that fails turns what seemed done into failures. */
static void
finish(struct run *run, size_t ran)
{
	size_t i;
	int r;

	r = commit(run);
	for (i = 0; r != 0 && i < ran; i++)
		fill_answer(run, i);
}

static void
run_batch(struct run *run)
{
	size_t ran;
	bool failed;
	int r;

	prepare(run);
	r = check_undo(run);
	if (r != 0) {
		one_answer(run, r);
		return;
	}
	ran = run_items(run);
	failed = ran > 0 && run->work[ran - 1].code != 0;
	r = check_size(run, ran);
	if (r != 0) {
		forget(&run->b);
		one_answer(run, r);
		return;
	}
	if (failed && run->req.on_error == KMIP_BATCH_UNDO) {
		forget(&run->b);
		mark_undone(run, ran - 1);
		return;
	}
	finish(run, ran);
}

static void
count(struct run *run)
{
	size_t i;

	for (i = 0; i < run->req.n; i++)
		if (i < run->res.n && run->work[i].call != NULL)
			kmip_metrics_count(&run->b.service->metrics,
			    run->work[i].call->op, run->work[i].code,
			    run->work[i].micros);
}

static void
run_free(struct run *run)
{
	size_t i;

	forget(&run->b);
	for (i = 0; i < run->req.n; i++) {
		struct kmip_work *w = &run->work[i];

		if (w->prepared != NULL)
			w->op->drop(w->prepared);
		kms_wr_free(&w->out);
		kms_secret_free(&w->secret);
	}
	free(run);
}

int
kmip_batch_run(struct kmip_service *service, const struct kmip_actor *actor,
    const struct kmip_message *m, struct kmip_reply *reply)
{
	struct run *run;
	int r;

	memset(reply, 0, sizeof(*reply));
	run = calloc(1, sizeof(*run));
	if (run == NULL)
		return kms_fail(KMS_ERR_MEMORY, "request: out of memory");
	run->b.service = service;
	run->b.actor = actor;
	run->b.locked = m->locked;
	atomic_fetch_add(&service->metrics.messages, 1);
	r = kmip_msg_read_request(&run->req, m->p, m->len);
	run->b.minor = run->res.minor = run->req.minor;
	run->b.lenient = run->req.lenient;
	run->res.time = (int64_t)time(NULL);
	if (r != 0) {
		run->req.n = 0;
		atomic_fetch_add(&service->metrics.invalid, 1);
		one_answer(run, r);
	} else {
		run_batch(run);
		count(run);
	}
	r = write_reply(run, reply);
	if (r != 0)
		kmip_reply_clear(reply);
	run_free(run);
	return r;
}
