/*
 * Messages: headers and batch items, requests and responses, read and
 * written (KMIP 1.4 sections 6 and 7). Answers carry what every client knows
 * how to skip or needs, and nothing else: real clients stop at more.
 */
#ifndef KMS_KMIP_MSG_H
#define KMS_KMIP_MSG_H

#include "kms/kmip/ttlv.h"

#define KMIP_BATCH_MAX 64u
#define KMIP_BATCH_ID_MAX 64u

/* One batch item of a request; the payload is borrowed from the message. */
struct kmip_call {
	uint32_t op; /* enum kmip_operation, or whatever the client sent */
	uint8_t id[KMIP_BATCH_ID_MAX]; /* Unique Batch Item ID */
	size_t id_len;                 /* 0: none given */
	struct kmip_item payload;
};

struct kmip_request {
	unsigned minor;      /* to answer in */
	bool lenient;        /* a newer minor than ours: unknown fields pass */
	size_t max_response; /* bytes; 0: the client set no limit */
	enum kmip_batch_error on_error;
	size_t n;
	struct kmip_call call[KMIP_BATCH_MAX];
};

/*
 * Checks the whole message and reads header and items. Any error is answered
 * by one item without operation (section 7.2): minor is then the best guess.
 */
int kmip_msg_read_request(struct kmip_request *, const void *, size_t len)
    KMS_MUST;
/* on_error is written when it is not 0, max_response when it is not 0. */
void kmip_msg_put_request(struct kms_wr *, const struct kmip_request *);

/* One batch item of a response. */
struct kmip_answer {
	uint32_t op; /* 0: the request could not be read */
	uint8_t id[KMIP_BATCH_ID_MAX];
	size_t id_len;
	uint32_t status, reason; /* reason only when status is not SUCCESS */
	char message[256];
	/* Content of the Response Payload: written: children already encoded;
	 * read: the item. */
	const uint8_t *payload;
	size_t payload_len;
};

struct kmip_response {
	unsigned minor;
	int64_t time; /* seconds */
	size_t n;
	struct kmip_answer answer[KMIP_BATCH_MAX];
};

/* Exactly the bytes that kmip_msg_put_response writes. */
size_t kmip_msg_response_size(const struct kmip_response *);
/* What one answer adds to a response, without its payload's content. */
size_t kmip_msg_answer_size(const struct kmip_answer *);
void kmip_msg_put_response(struct kms_wr *, const struct kmip_response *);
/* Payloads are borrowed from the message. INVALID_MESSAGE. */
int kmip_msg_read_response(struct kmip_response *, const void *, size_t len)
    KMS_MUST;
/* The response payload as a structure to walk. */
void kmip_msg_payload(const struct kmip_answer *, struct kmip_item *);

#endif
