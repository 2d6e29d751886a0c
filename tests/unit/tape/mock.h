/*
 * A drive in memory, honest by default, with hooks for every lie. The
 * transport is one of the two places where mocking is allowed.
 */
#ifndef TESTS_UNIT_TAPE_MOCK_H
#define TESTS_UNIT_TAPE_MOCK_H

#include "tape/drive.h"

#define MOCK_PAGE_MAX 4096u

struct mock {
	struct tape_transport t; /* first */

	/* What it is and can. */
	const char *product, *serial;
	uint8_t type;
	uint8_t protocols[4];
	size_t n_protocols;
	struct tape_capabilities caps;
	struct tape_management management;
	bool no_management;  /* page 0012h is refused */
	bool ceem_zero_only; /* CEEM 1 is refused, pointing at byte 5 */
	bool needs_medium;   /* pages fail without a tape, as on some drives */

	/* What it holds. */
	bool medium;
	struct tape_status st;
	uint8_t key[KMS_KEY_LEN];
	bool ckod, has_key;
	const char *barcode; /* in the tape's chip; "" where it has none */
	bool counts;         /* its loads */
	uint64_t loads;

	/* The next block on tape. */
	uint8_t nbes;    /* 6: encrypted under block_key; else reported as is */
	uint64_t object; /* its number */
	uint8_t block_key[KMS_KEY_LEN];
	struct tape_kad block_kad;
	bool blank;

	/*
	 * before: may answer in place of the drive (returns true; *err is
	 * then what exec returns). after: may change the answer, or lose it
	 * (what it returns, exec returns).
	 */
	bool (*before)(struct mock *, const struct tape_cmd *,
	    struct tape_reply *, int *err);
	int (*after)(struct mock *, const struct tape_cmd *,
	    struct tape_reply *);
	void *arg;
	unsigned count;     /* for the hooks' use */
	unsigned attention; /* pending: asc << 8 | ascq; 0 none */

	/* What happened. */
	unsigned commands, spouts, closed;
	struct tape_sde last; /* key not set */
	uint8_t last_page[1024];
	size_t last_page_len;
};

/* An LTO-5 like drive with a tape in and nothing loaded. Static tests own
 * it; closing the transport only counts. */
void mock_init(struct mock *);
/* Opened on the mock; aborts the test when that fails. */
struct tape_drive *mock_drive(struct mock *);

/* As a power cycle: nothing loaded, counter zero, attention 29/00. */
void mock_reset(struct mock *);
/* The tape leaves and comes: the key goes where CKOD was set; 28/00. */
void mock_change_tape(struct mock *);
bool mock_off(const struct mock *);

/* Is it SECURITY PROTOCOL IN for this page of protocol 20h? */
bool mock_is_page(const struct tape_cmd *, uint16_t page);
bool mock_is_spout(const struct tape_cmd *);
/* A CHECK CONDITION; fixed or descriptor format. */
void mock_sense(struct tape_reply *, const struct tape_sense *,
    bool descriptor);
/* The same from three numbers. */
void mock_check(struct tape_reply *, uint8_t key, uint8_t asc, uint8_t ascq);

/* A key whose bytes are all b. */
struct kms_secret *mock_key(uint8_t b);
/* A load for writing under mock_key(b) and a 32-byte tag starting B1h. */
struct tape_load mock_write(const struct kms_secret *);

#endif
