/*
 * A blocking client for any KMIP 1.x server: what the drive tool gets its
 * keys through. Several servers are tried in order. One thread at a time.
 */
#ifndef KMS_KMIP_CLIENT_H
#define KMS_KMIP_CLIENT_H

#include "kms/kmip/msg.h"
#include "kms/kmip/tls.h"
#include "kms/tag.h"

struct kmip_client;

struct kmip_client_options {
	const char *servers; /* "HOST[:PORT] …", an IPv6 address in brackets */
	struct kmip_tls_options tls;
	unsigned
	    wait_ms; /* for each server to connect, for each answer; 0: 10 s */
};

/* Connects to the first server that shakes hands. IO tells of each of them
 * why not; CONFIG: our own files. */
int kmip_client_open(const struct kmip_client_options *, struct kmip_client **)
    KMS_MUST;
void kmip_client_close(struct kmip_client **);
/* "HOST:PORT" of the one it is connected to. */
const char *kmip_client_server(const struct kmip_client *);

/*
 * One message. The response borrows from the client until the next call. A
 * connection that has gone (idle too long, server restarted) is made anew,
 * on the next server perhaps, when the request only reads. IO, TIMEOUT;
 * results of items are the caller's to look at.
 */
int kmip_client_call(struct kmip_client *, const struct kmip_request *,
    struct kmip_response *) KMS_MUST;
/* 0 when that item succeeded; else NOTFOUND, DENIED, STATE (archived) or IO,
 * with the server's words. */
int kmip_client_check(const struct kmip_client *, const struct kmip_response *,
    size_t item) KMS_MUST;

#define KMIP_UID_MAX 127u

/* A data key as a tape drive wants it. */
struct kmip_client_key {
	char uid[KMIP_UID_MAX + 1]; /* the server's identifier */
	struct kms_tag tag;         /* what is written to tape for it */
	struct kms_secret *key;     /* owned; 32 bytes */
};
void kmip_client_key_clear(struct kmip_client_key *);

/* The newest active key of a group: Locate and Get in one message. NOTFOUND. */
int kmip_client_active(struct kmip_client *, const char *group,
    struct kmip_client_key *) KMS_MUST;
/* The key that a tape names. NOTFOUND. */
int kmip_client_by_tag(struct kmip_client *, const struct kms_tag *,
    struct kmip_client_key *) KMS_MUST;
/* Where a key was used to write: the tape's label and own serial, the drive's
 * serial; "" what is not known. */
struct kmip_client_note {
	const char *volume, *medium, *drive;
};
/* Tells the server: Add Attribute x-p11kms-volume, a text of volume, medium,
 * drive and time with ';' between, "-" for what is not known. USAGE: a ';' in
 * one of them. DENIED: the server does not take it, from anybody or from us.
 * NOTFOUND. */
int kmip_client_tell(struct kmip_client *, const char *uid,
    const struct kmip_client_note *) KMS_MUST;

/*
 * Identifier ⇄ tag: a UUID is its 16 bytes, hex of up to 32 bytes those
 * bytes, other text up to 32 bytes itself. Back, a tag may have been either:
 * candidate n (0, 1), false when there is no more. USAGE: it does not fit.
 */
int kmip_client_tag_of(const char *uid, struct kms_tag *) KMS_MUST;
bool kmip_client_uid_of(const struct kms_tag *, unsigned n,
    char uid[KMIP_UID_MAX + 1]);

#endif
