#include "tape/virtual/nexus.h"

#include <string.h>

static const struct {
	enum vt_attention bit;
	enum vt_asc code;
} order[] = {
    {VT_ATTENTION_RESET, VT_RESET},
    {VT_ATTENTION_MEDIUM, VT_MEDIUM_CHANGED},
    {VT_ATTENTION_MODE, VT_MODE_CHANGED},
    {VT_ATTENTION_KEY, VT_KEY_CHANGED},
};

bool
vt_nexus_attention(struct vt_nexus *n, struct tape_sense *s)
{
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if ((n->attention & order[i].bit) == 0)
			continue;
		n->attention &= ~(unsigned)order[i].bit;
		memset(s, 0, sizeof(*s));
		s->key = TAPE_KEY_ATTENTION;
		s->asc = (uint8_t)((unsigned)order[i].code >> 8);
		s->ascq = (uint8_t)((unsigned)order[i].code & 0xFF);
		return true;
	}
	return false;
}

bool
vt_nexus_deferred(struct vt_nexus *n, struct tape_sense *s)
{
	if (!n->has_deferred)
		return false;
	*s = n->deferred;
	n->has_deferred = false;
	return true;
}

void
vt_nexus_reset(struct vt_nexus *n)
{
	vt_param_clear(&n->local);
	*n = (struct vt_nexus){.attention = VT_ATTENTION_RESET};
}
