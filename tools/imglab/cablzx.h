/**
 * imglab/cablzx: LZX as cabinets have it, window 2^21 (MAKECAB's "LZX:21", type
 * 0x1503). libgcab writes none, and libwim's is WIM's dialect. Written from the
 * public descriptions ([MS-PATCH], libmspack's notes); judged by 7-Zip,
 * cabextract and libarchive.
 *
 * Verbatim, aligned and uncompressed blocks, whichever is shortest; calls of
 * i386 programs are translated, as Microsoft's own cabinets have it.
 */
#ifndef IMGLAB_CABLZX_H
#define IMGLAB_CABLZX_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes of plain data in one data block of a cabinet. */
#define LAB_LZX_FRAME 32768u

/**
 * Compress a folder.
 *
 * @param data    size bytes; its calls are translated in place
 * @param frames  uint32_t: compressed bytes of each 32 KB of plain data are added; borrowed
 * @return the frames, one behind the other; owned by the caller (g_byte_array_unref)
 */
GByteArray *lab_lzx_compress(uint8_t *data, size_t size, GArray *frames);

#endif
