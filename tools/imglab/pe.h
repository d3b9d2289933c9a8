/**
 * imglab/pe: synthetic Windows programs.
 *
 * Valid PE32 / PE32+ files (headers, .text with functions, .rdata with imports,
 * .pdata, .rsrc with VERSIONINFO, .reloc, checksum) that do nothing: enough for
 * readers of versions, resources, sections and relocations, and for differentials
 * that follow moved code. arm64 has no functions and no imports. Format: the public PE/COFF specification.
 */
#ifndef IMGLAB_PE_H
#define IMGLAB_PE_H

#include "digest/digest.h"

/** What to build. Zero or NULL means the default. All text is borrowed. */
struct lab_pe {
	const char *name;        /**< file name, e.g. "shell32.dll"; ends in .exe: a program, else a library */
	const char *arch;        /**< "amd64" (default), "arm64": PE32+; "x86", "wow64": PE32 */
	const char *version;     /**< "10.0.17763.2183"; default "10.0.0.0" */
	const char *description; /**< FileDescription; default: the name */
	uint64_t seed;           /**< with the name, makes the payload */
	size_t payload_bytes;    /**< about as many pseudo-random, compressible bytes in .text and .rdata */
	unsigned variant;        /**< 0, 1, 2 …: the same payload but for some places, as a later build has it */
	uint16_t resource_type;  /**< extra resource's type, e.g. 614; 0: none */
	uint16_t resource_id;    /**< and its name, e.g. 1 */
	GBytes *resource;        /**< and its bytes; borrowed */
};

/** Build it. Same description, same bytes. @return owned by the caller (g_bytes_unref) */
GBytes *lab_pe_build(const struct lab_pe *pe);

/**
 * The digest by which catalogs know a program: all of the file but the checksum,
 * the entry of the certificate table, and the certificates (Authenticode).
 *
 * @param algorithm  IB_DIGEST_SHA1 or IB_DIGEST_SHA256
 * @param ret        ib_digest_size() bytes; written when true
 * @return false when the bytes are no program, or one with bytes behind its certificates
 */
bool lab_pe_digest(const void *data, size_t len, enum ib_digest_algorithm algorithm, uint8_t *ret);

/**
 * Pseudo-random bytes that compress to about a third, from a seed and a label.
 * @return owned by the caller (g_bytes_unref)
 */
GBytes *lab_payload(uint64_t seed, const char *label, size_t len);

#endif
