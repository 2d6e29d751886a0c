#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <qrencode.h>

#include "tools/kit.h"

#define QUIET 4 /* modules of white around, ISO/IEC 18004 §6.3.8 */

/* Dark modules of one line, run by run. */
static void
write_line(const QRcode *qr, int y, FILE *out)
{
	const unsigned char *line = qr->data + y * qr->width;
	int x = 0, end;

	while (x < qr->width) {
		if ((line[x] & 1) == 0) {
			x++;
			continue;
		}
		for (end = x; end < qr->width && (line[end] & 1) != 0;)
			end++;
		fprintf(out, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, end - x,
		    end - x);
		x = end;
	}
}

int
kit_qr_write(const char *text, unsigned mm, FILE *out)
{
	QRcode *qr = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
	int size, y;

	if (qr == NULL)
		return kms_fail(KMS_ERR_INTERNAL, "QR code: %s",
		    strerror(errno));
	size = qr->width + 2 * QUIET;
	fprintf(out,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"qr\" "
	    "width=\"%umm\" height=\"%umm\" viewBox=\"0 0 %d %d\" "
	    "shape-rendering=\"crispEdges\"><path d=\"",
	    mm, mm, size, size);
	for (y = 0; y < qr->width; y++)
		write_line(qr, y, out);
	fputs("\"/></svg>", out);
	QRcode_free(qr);
	return 0;
}
