#include "formats/magic.h"

#include "formats/bytes.h"
#include "formats/disk/disk.h"

#define SAMPLE 1024u /* bytes that decide whether something is text */

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
	{ 0x8001, SPAN("BEA01"), FORMAT_UDF },
	{ 0, SPAN("\x60\xea"), FORMAT_ARJ },
	{ 0, SPAN("SZDD\x88\xf0\x27\x33"), FORMAT_MSSZDD },
	{ 0, SPAN("KWAJ\x88\xf0\x27\xd1"), FORMAT_MSSZDD },
	{ 0, SPAN("ITSF"), FORMAT_MSCHM },
	{ 0, SPAN("ISc("), FORMAT_ISHIELD },
	{ 0, SPAN("\x78\x9f\x3e\x22"), FORMAT_TNEF },
	{ 0, SPAN("%PDF-"), FORMAT_PDF },
	{ 0, SPAN("{\\rt"), FORMAT_RTF },
	{ 0, SPAN("GIF8"), FORMAT_GIF },
	{ 0, SPAN("\xff\xd8\xff"), FORMAT_JPEG },
	{ 0, SPAN("\x89PNG\r\n\x1a\n"), FORMAT_PNG },
	{ 0, SPAN("BM"), FORMAT_BMP },
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
	{ 0, SPAN("\x7a\x1a\x20\x10"), FORMAT_SIS },
	{ 8, SPAN("\x19\4\0\x10"), FORMAT_SIS },
	{ 2, SPAN("-lh"), FORMAT_LHA_LZH },
	{ 2, SPAN("-lz"), FORMAT_LHA_LZH },
	{ 0, SPAN("(This file must be converted with BinHex"), FORMAT_BINHEX },
	{ 0, SPAN("begin "), FORMAT_UUENCODED },
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

/* What may stand in text of one byte a character, whatever its alphabet. */
static bool
is_text(unsigned char c)
{
	return c >= ' ' ? c != 0x7f
			: (c >= 7 && c <= 10) || c == 12 || c == 13 || c == 27;
}

static bool
is_bytes_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_text((unsigned char)s.ptr[i]))
			return false;
	return s.len > 0;
}

/* Units below 128 are characters, and none is 0000 or fffe. */
static bool
is_wide_text(struct span s, bool big)
{
	uint16_t unit;

	for (size_t i = 0; i + 1 < s.len; i += 2) {
		(void)(big ? bytes_be16(s, i, &unit) : bytes_le16(s, i, &unit));
		if (unit == 0 || unit == 0xfffe ||
		    (unit < 128 && !is_text((unsigned char)unit)))
			return false;
	}
	return s.len >= 2;
}

/* ClamAV looks at as many bytes, and so decides the same. */
static enum format
text_format(struct span object)
{
	struct span s = bytes_sub(object, 0, SAMPLE);

	if (is_bytes_text(s))
		return FORMAT_TEXT_ASCII;
	if (bytes_are(s, 0, SPAN("\xff\xfe")))
		return is_wide_text(span_from(s, 2), false)
		    ? FORMAT_TEXT_UTF16LE
		    : FORMAT_BINARY_DATA;
	return is_wide_text(s, true) ? FORMAT_TEXT_UTF16BE : FORMAT_BINARY_DATA;
}

/* Java classes and universal programs share their magic; a class has a
 * version above 42, nobody makes a program for so many processors. */
static enum format
settle(struct span s, enum format f)
{
	uint32_t n;

	if (f == FORMAT_JAVA && bytes_be32(s, 4, &n) && n < 30)
		return FORMAT_MACHO_UNIBIN;
	/* "begin 644 name", or just text. */
	if (f == FORMAT_UUENCODED &&
	    (s.len < 9 || s.ptr[6] < '0' || s.ptr[6] > '7'))
		return text_format(s);
	return f;
}

enum format
format_of(struct span object)
{
	enum format disk;

	for (size_t i = 0; i < COUNT(magics); i++)
		if (bytes_are(object, magics[i].at, magics[i].bytes))
			return settle(object, magics[i].format);
	disk = disk_format(object);
	return disk != FORMAT_ANY ? disk : text_format(object);
}
