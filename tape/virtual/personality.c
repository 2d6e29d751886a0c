#include "tape/virtual/personality.h"

#define AES_256_GCM_128 0x00010014u
#define GB 1000000000ull

/*
 * Hardware both ways, message authentication, A-KAD 12 bytes on LTO-4 and 60
 * later, raw reading off by default but settable (RDMC_C 4), KAD optional
 * (DKAD_C 3), KAD format field only from LTO-5 (KADF_C).
 */
#define STRICT(a_kad, later)                                              \
	{                                                                 \
		.index = 1, .mac_c = true, .ded_c = true, .decrypt_c = 2, \
		.encrypt_c = 2, .kadf_c = later, .vcelb_c = later,        \
		.u_max = 32, .a_max = a_kad, .key_len = 32, .dkad_c = 3,  \
		.eemc_c = 2, .rdmc_c = 4, .earem = true,                  \
		.code = AES_256_GCM_128                                   \
	}
#define LENIENT                                                           \
	{                                                                 \
		.index = 1, .mac_c = true, .ded_c = true, .decrypt_c = 2, \
		.encrypt_c = 2, .nonce = 1, .u_max = 32, .a_max = 12,     \
		.key_len = 32, .rdmc_c = 4, .earem = true,                \
		.code = AES_256_GCM_128                                   \
	}

/* clang-format off */
static const struct vt_personality table[2][6] = {
	{
		{4, "VIRTUAL LTO-4", 0x46,   800 * GB, 4, 4, STRICT(12, false)},
		{5, "VIRTUAL LTO-5", 0x58,  1500 * GB, 4, 4, STRICT(60, true)},
		{6, "VIRTUAL LTO-6", 0x5A,  2500 * GB, 4, 5, STRICT(60, true)},
		{7, "VIRTUAL LTO-7", 0x5C,  6000 * GB, 5, 6, STRICT(60, true)},
		{8, "VIRTUAL LTO-8", 0x5E, 12000 * GB, 7, 7, STRICT(60, true)},
		{9, "VIRTUAL LTO-9", 0x60, 18000 * GB, 8, 8, STRICT(60, true)},
	}, {
		{4, "VIRTUAL LTO-4", 0x46,   800 * GB, 4, 4, LENIENT},
		{5, "VIRTUAL LTO-5", 0x58,  1500 * GB, 4, 4, LENIENT},
		{6, "VIRTUAL LTO-6", 0x5A,  2500 * GB, 4, 5, LENIENT},
		{7, "VIRTUAL LTO-7", 0x5C,  6000 * GB, 5, 6, LENIENT},
		{8, "VIRTUAL LTO-8", 0x5E, 12000 * GB, 7, 7, LENIENT},
		{9, "VIRTUAL LTO-9", 0x60, 18000 * GB, 8, 8, LENIENT},
	},
};
/* clang-format on */

const struct vt_personality *
vt_personality_find(unsigned generation, bool lenient)
{
	if (generation < 4 || generation > 9)
		return NULL;
	return &table[lenient ? 1 : 0][generation - 4];
}
