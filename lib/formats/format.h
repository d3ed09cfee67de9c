#ifndef FORMATS_FORMAT_H
#define FORMATS_FORMAT_H

#include "base/span.h"

/* What an object may be.  The names are ClamAV's (without "CL_TYPE_"),
 * because signatures speak of them: Container:, HandlerType:, .ftm, .cdb. */
#define FORMAT_LIST(X)                                                         \
	X(ANY)                                                                 \
	X(TEXT_ASCII)                                                          \
	X(TEXT_UTF8)                                                           \
	X(TEXT_UTF16LE)                                                        \
	X(TEXT_UTF16BE)                                                        \
	X(BINARY_DATA)                                                         \
	X(ERROR)                                                               \
	X(MSEXE)                                                               \
	X(ELF)                                                                 \
	X(MACHO)                                                               \
	X(MACHO_UNIBIN)                                                        \
	X(POSIX_TAR)                                                           \
	X(OLD_TAR)                                                             \
	X(CPIO_OLD)                                                            \
	X(CPIO_ODC)                                                            \
	X(CPIO_NEWC)                                                           \
	X(CPIO_CRC)                                                            \
	X(GZ)                                                                  \
	X(ZIP)                                                                 \
	X(BZ)                                                                  \
	X(RAR)                                                                 \
	X(ARJ)                                                                 \
	X(MSSZDD)                                                              \
	X(MSOLE2)                                                              \
	X(MSCAB)                                                               \
	X(MSCHM)                                                               \
	X(SIS)                                                                 \
	X(SCRENC)                                                              \
	X(GRAPHICS)                                                            \
	X(GIF)                                                                 \
	X(PNG)                                                                 \
	X(JPEG)                                                                \
	X(TIFF)                                                                \
	X(RIFF)                                                                \
	X(BINHEX)                                                              \
	X(TNEF)                                                                \
	X(CRYPTFF)                                                             \
	X(PDF)                                                                 \
	X(UUENCODED)                                                           \
	X(SCRIPT)                                                              \
	X(HTML_UTF16)                                                          \
	X(RTF)                                                                 \
	X(7Z)                                                                  \
	X(SWF)                                                                 \
	X(JAVA)                                                                \
	X(XAR)                                                                 \
	X(MBR)                                                                 \
	X(HFSPLUS)                                                             \
	X(DMG)                                                                 \
	X(GPT)                                                                 \
	X(APM)                                                                 \
	X(XZ)                                                                  \
	X(OOXML_WORD)                                                          \
	X(OOXML_PPT)                                                           \
	X(OOXML_XL)                                                            \
	X(OOXML_HWP)                                                           \
	X(INTERNAL)                                                            \
	X(XDP)                                                                 \
	X(XML_WORD)                                                            \
	X(XML_XL)                                                              \
	X(XML_HWP)                                                             \
	X(HWP3)                                                                \
	X(HWPOLE2)                                                             \
	X(MHTML)                                                               \
	X(LNK)                                                                 \
	X(EGG)                                                                 \
	X(PS)                                                                  \
	X(ONENOTE)                                                             \
	X(PYTHON_COMPILED)                                                     \
	X(ALZ)                                                                 \
	X(UDF)                                                                 \
	X(LHA_LZH)                                                             \
	X(AI_MODEL)                                                            \
	X(ISHIELD_MSI)                                                         \
	X(ISO9660)                                                             \
	X(AUTOIT)                                                              \
	X(NULSFT)                                                              \
	X(RARSFX)                                                              \
	X(7ZSFX)                                                               \
	X(ZIPSFX)                                                              \
	X(CABSFX)                                                              \
	X(ARJSFX)                                                              \
	X(EGGSFX)                                                              \
	X(HTML)                                                                \
	X(MAIL)                                                                \
	X(SFX)                                                                 \
	X(PART_ANY)                                                            \
	X(PART_HFSPLUS)                                                        \
	X(IGNORED)                                                             \
	/* ours, unknown to ClamAV */                                          \
	X(AR)                                                                  \
	X(ZSTD)                                                                \
	X(LZ4)                                                                 \
	X(LZIP)                                                                \
	X(COMPRESS)                                                            \
	X(LZMA)                                                                \
	X(ISHIELD)                                                             \
	X(INNO)                                                                \
	X(VHD)                                                                 \
	X(FAT)                                                                 \
	X(EXFAT)                                                               \
	X(NTFS)                                                                \
	X(VBA)                                                                 \
	X(ICO)                                                                 \
	X(BMP)

enum format {
#define X(name) FORMAT_##name,
	FORMAT_LIST(X)
#undef X
	    FORMATS
};

/* "MSEXE"; "?" for what is no format. */
const char *format_name(enum format f);
/* "CL_TYPE_MSEXE" or "MSEXE"; FORMATS when there is none of that name. */
enum format format_of_name(struct span name);

#endif
