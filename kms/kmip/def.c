#include "kms/kmip/def.h"

#include <stddef.h>

struct entry {
	uint32_t value;
	unsigned since;
	const char *name;
};

#define ENTRY(id, value, since, text) {value, since, text},
#define X(list, prefix, tag)                           \
	static const struct entry entries_##list[] = { \
	    KMIP_##list##_LIST(ENTRY)};
static const struct entry entries_TAG[] = {KMIP_TAG_LIST(ENTRY)};
KMIP_TABLE_LIST(X)
#undef X
#undef ENTRY

static const struct {
	const struct entry *entry;
	size_t n;
	uint32_t tag;
} tables[KMIP_TABLES] = {[KMIP_TABLE_TAG] = {entries_TAG,
			     sizeof(entries_TAG) / sizeof(entries_TAG[0]), 0},
#define X(list, prefix, its_tag)                                \
	[KMIP_TABLE_##list] = {entries_##list,                  \
	    sizeof(entries_##list) / sizeof(entries_##list[0]), \
	    KMIP_TAG_##its_tag},
    KMIP_TABLE_LIST(X)
#undef X
};

static const char *const type_names[] = {
    [KMIP_STRUCTURE] = "Structure",
    [KMIP_INTEGER] = "Integer",
    [KMIP_LONG] = "Long Integer",
    [KMIP_BIG] = "Big Integer",
    [KMIP_ENUM] = "Enumeration",
    [KMIP_BOOL] = "Boolean",
    [KMIP_TEXT] = "Text String",
    [KMIP_BYTES] = "Byte String",
    [KMIP_DATE] = "Date-Time",
    [KMIP_INTERVAL] = "Interval",
};

static const struct entry *
find(enum kmip_table table, uint32_t value)
{
	size_t i;

	for (i = 0; i < tables[table].n; i++)
		if (tables[table].entry[i].value == value)
			return &tables[table].entry[i];
	return NULL;
}

const char *
kmip_def_name(enum kmip_table table, uint32_t value)
{
	const struct entry *e = find(table, value);

	return e == NULL ? NULL : e->name;
}

unsigned
kmip_def_since(enum kmip_table table, uint32_t value)
{
	const struct entry *e = find(table, value);

	return e == NULL ? KMIP_MINOR_MAX + 1 : e->since;
}

/* The next letter or digit, in lower case; NUL at the end. */
static char
letter(const char **s)
{
	while (**s == ' ' || **s == '-' || **s == '_')
		(*s)++;
	if (**s == '\0')
		return '\0';
	return **s >= 'A' && **s <= 'Z' ? (char)(*(*s)++ + ('a' - 'A'))
					: *(*s)++;
}

static bool
same_name(const char *a, const char *b)
{
	char c;

	do {
		c = letter(&a);
		if (c != letter(&b))
			return false;
	} while (c != '\0');
	return true;
}

bool
kmip_def_value(enum kmip_table table, const char *name, uint32_t *value)
{
	size_t i;

	*value = 0;
	for (i = 0; i < tables[table].n; i++) {
		if (!same_name(tables[table].entry[i].name, name))
			continue;
		*value = tables[table].entry[i].value;
		return true;
	}
	return false;
}

bool
kmip_def_table(uint32_t tag, enum kmip_table *table)
{
	unsigned t;

	*table = KMIP_TABLE_TAG;
	for (t = KMIP_TABLE_TAG + 1; t < KMIP_TABLES; t++) {
		if (tables[t].tag != tag)
			continue;
		*table = (enum kmip_table)t;
		return true;
	}
	return false;
}

bool
kmip_def_is_vendor(uint32_t value)
{
	return (value & 0x80000000u) != 0;
}

const char *
kmip_def_type_name(unsigned type)
{
	if (type >= KMIP_STRUCTURE && type <= KMIP_INTERVAL)
		return type_names[type];
	return "?";
}
