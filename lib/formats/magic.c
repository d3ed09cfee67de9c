#include "formats/magic.h"

#include "formats/bytes.h"

#define SAMPLE 4096u /* bytes that decide whether something is text */

struct magic {
	uint32_t at;
	struct span bytes;
	enum format format;
};

/* The first that fits counts. */
static const struct magic magics[] = {
	{ 0, SPAN("MZ"), FORMAT_MSEXE },
	{ 0,
	    SPAN("\x7f"
		 "ELF"),
	    FORMAT_ELF },
	{ 0, SPAN("\xce\xfa\xed\xfe"), FORMAT_MACHO },
	{ 0, SPAN("\xcf\xfa\xed\xfe"), FORMAT_MACHO },
	{ 0, SPAN("\xfe\xed\xfa\xce"), FORMAT_MACHO },
	{ 0, SPAN("\xfe\xed\xfa\xcf"), FORMAT_MACHO },
	{ 0, SPAN("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), FORMAT_MSOLE2 },
	{ 0, SPAN("PK\3\4"), FORMAT_ZIP },
	{ 0, SPAN("PK\5\6"), FORMAT_ZIP },
	{ 0, SPAN("PK00PK\3\4"), FORMAT_ZIP },
	{ 0, SPAN("7z\xbc\xaf\x27\x1c"), FORMAT_7Z },
	{ 0, SPAN("Rar!\x1a\7"), FORMAT_RAR },
	{ 0, SPAN("MSCF"), FORMAT_MSCAB },
	{ 0, SPAN("\x1f\x8b"), FORMAT_GZ },
	{ 0, SPAN("BZh"), FORMAT_BZ },
	{ 0,
	    SPAN("\xfd"
		 "7zXZ\0"),
	    FORMAT_XZ },
	{ 0, SPAN("\x28\xb5\x2f\xfd"), FORMAT_ZSTD },
	{ 0, SPAN("\x04\x22\x4d\x18"), FORMAT_LZ4 },
	{ 0, SPAN("LZIP\1"), FORMAT_LZIP },
	{ 0, SPAN("\x1f\x9d"), FORMAT_COMPRESS },
	{ 0, SPAN("070701"), FORMAT_CPIO_NEWC },
	{ 0, SPAN("070702"), FORMAT_CPIO_CRC },
	{ 0, SPAN("070707"), FORMAT_CPIO_ODC },
	{ 0, SPAN("\xc7\x71"), FORMAT_CPIO_OLD },
	{ 0, SPAN("\x71\xc7"), FORMAT_CPIO_OLD },
	{ 0, SPAN("!<arch>\n"), FORMAT_AR },
	{ 257, SPAN("ustar"), FORMAT_POSIX_TAR },
	{ 0x8001, SPAN("CD001"), FORMAT_ISO9660 },
	{ 0, SPAN("\x60\xea"), FORMAT_ARJ },
	{ 0, SPAN("SZDD\x88\xf0\x27\x33"), FORMAT_MSSZDD },
	{ 0, SPAN("KWAJ\x88\xf0\x27\xd1"), FORMAT_MSSZDD },
	{ 0, SPAN("ITSF"), FORMAT_MSCHM },
	{ 0, SPAN("\x78\x9f\x3e\x22"), FORMAT_TNEF },
	{ 0, SPAN("%PDF-"), FORMAT_PDF },
	{ 0, SPAN("{\\rt"), FORMAT_RTF },
	{ 0, SPAN("GIF8"), FORMAT_GIF },
	{ 0, SPAN("\xff\xd8\xff"), FORMAT_JPEG },
	{ 0, SPAN("\x89PNG\r\n\x1a\n"), FORMAT_PNG },
	{ 0, SPAN("II*\0"), FORMAT_TIFF },
	{ 0, SPAN("MM\0*"), FORMAT_TIFF },
	{ 0, SPAN("\xca\xfe\xba\xbe"), FORMAT_JAVA },
	{ 0, SPAN("FWS"), FORMAT_SWF },
	{ 0, SPAN("CWS"), FORMAT_SWF },
	{ 0, SPAN("ZWS"), FORMAT_SWF },
	{ 0, SPAN("\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d"), FORMAT_ONENOTE },
	{ 0, SPAN("L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F"), FORMAT_LNK },
	{ 0, SPAN("xar!"), FORMAT_XAR },
	{ 0,
	    SPAN("conec"
		 "tix"),
	    FORMAT_VHD },
	{ 2, SPAN("-lh"), FORMAT_LHA_LZH },
	{ 2, SPAN("-lz"), FORMAT_LHA_LZH },
	{ 0, SPAN("From: "), FORMAT_MAIL },
	{ 0, SPAN("From "), FORMAT_MAIL },
	{ 0, SPAN("Received: "), FORMAT_MAIL },
	{ 0, SPAN("Return-Path: "), FORMAT_MAIL },
	{ 0, SPAN("Return-path: "), FORMAT_MAIL },
	{ 0, SPAN("Delivered-To: "), FORMAT_MAIL },
	{ 0, SPAN("X-Envelope-From: "), FORMAT_MAIL },
	{ 0, SPAN("Message-ID: "), FORMAT_MAIL },
	{ 0, SPAN("Message-Id: "), FORMAT_MAIL },
	{ 0, SPAN("Subject: "), FORMAT_MAIL },
	{ 0, SPAN("MIME-Version: "), FORMAT_MAIL },
	{ 0, SPAN("To: "), FORMAT_MAIL },
	{ 0, SPAN("Date: "), FORMAT_MAIL },
};

/* Java classes and universal programs share their magic; a class has a
 * version above 42, nobody makes a program for so many processors. */
static enum format
settle(struct span s, enum format f)
{
	uint32_t n;

	if (f == FORMAT_JAVA && bytes_be32(s, 4, &n) && n < 30)
		return FORMAT_MACHO_UNIBIN;
	return f;
}

/* Mostly characters: few control codes, and zero bytes only as UTF-16 has
 * them. */
static bool
looks_like_text(struct span s)
{
	size_t n = s.len < SAMPLE ? s.len : SAMPLE, control = 0, zero = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c == 0)
			zero++;
		else if (c < ' ' && (c < '\t' || c > '\r') && c != 0x1b)
			control++;
	}
	return n > 0 && control <= n / 20 && zero <= n / 2 + 1;
}

enum format
format_of(struct span object)
{
	for (size_t i = 0; i < COUNT(magics); i++)
		if (bytes_are(object, magics[i].at, magics[i].bytes))
			return settle(object, magics[i].format);
	return looks_like_text(object) ? FORMAT_TEXT_ASCII : FORMAT_BINARY_DATA;
}
