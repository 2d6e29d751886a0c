#include "kms/draw.h"

#include "kms/base/crypt.h"

#define PIECE 64u

static int
draw_piece(struct kms_sealer *sealer, uint8_t *out, size_t len)
{
	uint8_t token[PIECE];
	size_t i;
	int r;

	r = sealer->random(sealer, token, len);
	if (r == 0)
		r = kms_random(out, len);
	for (i = 0; r == 0 && i < len; i++)
		out[i] ^= token[i];
	kms_wipe(token, sizeof(token));
	return r;
}

int
kms_draw(struct kms_sealer *sealer, uint8_t *out, size_t len)
{
	size_t n;
	int r = 0;

	for (; len > 0 && r == 0; out += n, len -= n) {
		n = len < PIECE ? len : PIECE;
		r = draw_piece(sealer, out, n);
	}
	return r;
}

/* The host's part comes from RAND_priv_bytes, as for every secret. */
int
kms_draw_secret(struct kms_sealer *sealer, struct kms_secret **out)
{
	struct kms_secret *s = NULL;
	uint8_t token[KMS_KEY_LEN];
	size_t i;
	int r;

	*out = NULL;
	r = sealer->random(sealer, token, sizeof(token));
	if (r == 0)
		r = kms_random_secret(sizeof(token), &s);
	for (i = 0; r == 0 && i < sizeof(token); i++)
		kms_secret_fill(s)[i] ^= token[i];
	kms_wipe(token, sizeof(token));
	if (r == 0)
		*out = kms_secret_take(&s);
	kms_secret_free(&s);
	return r;
}
