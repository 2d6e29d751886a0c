#include "tape/keys.h"

#include <string.h>

#define DKI_LEN 12u
#define DKI_TEXT 3u

static void
add(struct tape_name *names, size_t *n, const uint8_t *p, size_t len)
{
	if (len == 0 || len > TAPE_UKAD_MAX || *n == TAPE_NAMES_MAX)
		return;
	for (size_t i = 0; i < *n; i++)
		if (names[i].len == len && memcmp(names[i].bytes, p, len) == 0)
			return;
	memcpy(names[*n].bytes, p, len);
	names[*n].len = len;
	(*n)++;
}

/* A descriptor of nothing but padding names no key. */
static void
add_both(struct tape_name *names, size_t *n, const uint8_t *p, size_t len)
{
	size_t trimmed = tape_kad_trim(p, len);

	if (trimmed == 0)
		return;
	add(names, n, p, len);
	add(names, n, p, trimmed);
}

static bool
is_letter(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9');
}

/* "ABC" and 18 hexadecimal digits, as key managers print a DKi. */
static void
add_dki(struct tape_name *names, size_t *n, const uint8_t *p, size_t len)
{
	uint8_t text[DKI_TEXT + 2 * (DKI_LEN - DKI_TEXT) + 1];

	if (len != DKI_LEN || !is_letter(p[0]) || !is_letter(p[1]) ||
	    !is_letter(p[2]))
		return;
	memcpy(text, p, DKI_TEXT);
	kms_hex(p + DKI_TEXT, DKI_LEN - DKI_TEXT, (char *)text + DKI_TEXT);
	add(names, n, text, sizeof(text) - 1);
	for (size_t i = DKI_TEXT; i < sizeof(text) - 1; i++)
		if (text[i] >= 'a' && text[i] <= 'f')
			text[i] = (uint8_t)(text[i] - 'a' + 'A');
	add(names, n, text, sizeof(text) - 1);
}

size_t
tape_kad_names(const struct tape_kad *k, struct tape_name names[TAPE_NAMES_MAX])
{
	size_t n = 0;

	add_both(names, &n, k->u, k->u_len);
	add_both(names, &n, k->a, k->a_len);
	add_dki(names, &n, k->a, k->a_len);
	return n;
}

bool
tape_kad_has(const struct tape_kad *k, const uint8_t *tag, size_t len)
{
	struct tape_name names[TAPE_NAMES_MAX];
	size_t n = tape_kad_names(k, names);

	for (size_t i = 0; i < n; i++)
		if (tape_kad_same(names[i].bytes, names[i].len, tag, len))
			return true;
	return false;
}

bool
tape_kad_same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t n = tape_kad_trim(a, a_len);

	return n == tape_kad_trim(b, b_len) && (n == 0 || memcmp(a, b, n) == 0);
}
