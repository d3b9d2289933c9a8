/**
 * delta: differentials PA30 and PA31 ("msdelta"), and the compressed manifests
 * of the component store (DCM and its relatives), without msdelta.dll.
 *
 * What is done: RAW records; i386 and amd64 programs with their source
 * transforms; managed programs (classic CLI; CLI4 with plain ECMA-335 tables);
 * bodies in PseudoLzx, in a Compression API container (LZMS, XPRESS Huffman),
 * byte-difference streams inside such a container, and reverse records (PRSM).
 * What is refused by name: ARM, ARM64 and IA64 transforms, XPRESS blocks above
 * 65,536 bytes, other algorithms of the container.
 *
 * The format is public knowledge gathered from genuine records; a few
 * transforms have never met one. So the rule is: a record that names a hash of
 * its target is checked against it, always, and what does not match is not
 * returned. DCM manifests name no hash: their caller checks what they hold.
 *
 * Memory: what is allocated here stays below 3 x (source + target) + 16 MB.
 * Input is untrusted: sizes and counts are bounded by what the record's bits
 * can hold, nothing recurses on input.
 *
 * Threads: every function may be called from any thread; nothing is shared.
 */
#ifndef IB_DELTA_DELTA_H
#define IB_DELTA_DELTA_H

#include "base/base.h"
#include "digest/digest.h"

/** Bytes of a target that are accepted when the caller names no limit: no file of Windows comes near it. */
#define IB_DELTA_TARGET_MAX (UINT64_C(1) << 30)

/** Bytes of a decoded manifest that are accepted; the largest genuine one known has 3.3 MB. */
#define IB_DCM_MAX (UINT64_C(128) << 20)

/** What the record says its target is (one bit). */
enum ib_delta_type {
	IB_DELTA_RAW = 0x01,
	IB_DELTA_I386 = 0x02,
	IB_DELTA_IA64 = 0x04,
	IB_DELTA_AMD64 = 0x08,
	IB_DELTA_CLI4_I386 = 0x10,
	IB_DELTA_CLI4_AMD64 = 0x20,
	IB_DELTA_CLI4_ARM = 0x40,
	IB_DELTA_CLI4_ARM64 = 0x80,
};

/** Source transforms, as the Windows SDK numbers them. Bits not listed are ignored, as the creators' are unknown. */
enum ib_delta_flag {
	IB_DELTA_E8 = 0x1,
	IB_DELTA_MARK = 0x2,
	IB_DELTA_IMPORTS = 0x4,
	IB_DELTA_EXPORTS = 0x8,
	IB_DELTA_RESOURCES = 0x10,
	IB_DELTA_RELOCS = 0x20,
	IB_DELTA_I386_SMASHLOCK = 0x40,
	IB_DELTA_I386_JMPS = 0x80,
	IB_DELTA_I386_CALLS = 0x100,
	IB_DELTA_AMD64_DISASM = 0x200,
	IB_DELTA_AMD64_PDATA = 0x400,
	IB_DELTA_IA64_DISASM = 0x800,
	IB_DELTA_IA64_PDATA = 0x1000,
	IB_DELTA_UNBIND = 0x2000,
	IB_DELTA_CLI_DISASM = 0x4000,
	IB_DELTA_CLI_METADATA = 0x8000,
	IB_DELTA_HEADERS = 0x10000,
	IB_DELTA_ARM_DISASM = 0x80000,
	IB_DELTA_ARM_PDATA = 0x100000,
	IB_DELTA_CLI4_METADATA = 0x200000,
	IB_DELTA_CLI4_DISASM = 0x400000,
	IB_DELTA_ARM64_DISASM = 0x800000,
	IB_DELTA_ARM64_PDATA = 0x1000000,
};

/** How the patch itself is coded. */
enum ib_delta_body {
	IB_DELTA_BODY_LZX,       /**< PseudoLzx, the usual one; also an empty patch */
	IB_DELTA_BODY_CONTAINER, /**< a Compression API container: the target, or a byte difference */
	IB_DELTA_BODY_REVERSE,   /**< "PRSM", made by a client while it installed */
};

/** What a record says about itself. */
struct ib_delta_info {
	bool pa31;               /**< PA31, else PA30 */
	bool has_crc;            /**< a CRC-32 stands before the record (as in f\, r\, n\ and PSF); it was right */
	uint64_t time;           /**< FILETIME of the target; 0 in updates */
	uint64_t type_set;       /**< types the creator could choose from; bit 0x100: reverse record */
	uint64_t type;           /**< enum ib_delta_type */
	uint64_t flags;          /**< enum ib_delta_flag, or-ed, and bits nobody documents */
	uint64_t target_size;    /**< bytes */
	bool has_target_hash;    /**< false: nothing in the record proves the result */
	enum ib_digest_algorithm hash; /**< of both hashes; only meaningful with one of them */
	uint8_t target_hash[IB_DIGEST_MAX]; /**< ib_digest_size(hash) bytes */
	bool has_source_hash;    /**< PA31 with a source */
	uint8_t source_hash[IB_DIGEST_MAX]; /**< ib_digest_size(hash) bytes */
	bool has_preprocess;     /**< the source goes through the program transforms first */
	enum ib_delta_body body;
};

/**
 * Read a record's header.
 *
 * @param record  borrowed: a PA30 or PA31 record, bare or behind its CRC-32
 * @param ret     filled on success; holds no memory
 * Throws IB_ERR_INPUT for anything malformed or a hash algorithm that is not MD5, SHA-1 or SHA-256,
 * IB_ERR_VERIFY when the CRC-32 is wrong.
 */
bool ib_delta_info(GBytes *record, struct ib_delta_info *ret, struct ib_error **err) IB_MUST_CHECK;

/** How to apply; zeroed means the defaults. */
struct ib_delta_options {
	uint64_t target_max; /**< bytes of target to accept; 0: IB_DELTA_TARGET_MAX */
};

/**
 * Apply a record.
 *
 * @param source   borrowed; NULL or empty for a record that needs none
 * @param record   borrowed; as for ib_delta_info()
 * @param options  borrowed; NULL for the defaults
 * @param ret      the target, owned by the caller (g_bytes_unref)
 * Throws IB_ERR_VERIFY when the source is not the one the record names (checked before anything is done) or when the
 * result does not have the hash the record names; IB_ERR_INPUT for malformed records, a source that is not the program
 * the record transforms, a target above the limit, and transforms that nobody has published (named in the cause);
 * IB_ERR_SYSTEM when memory is out.
 */
bool ib_delta_apply(GBytes *source, GBytes *record, const struct ib_delta_options *options, GBytes **ret,
		    struct ib_error **err) IB_MUST_CHECK;

/**
 * The names of flags for messages: "MARK, IMPORTS, RELOCS"; bits without a name in hex; "none" for 0.
 * @return owned by the caller (g_free)
 */
char *ib_delta_transforms(uint64_t flags);

/** The name of a file type for messages: "RAW", "I386", "CLI4-AMD64"; "unknown" for others. Borrowed. */
const char *ib_delta_type_name(uint64_t type);

/** Kinds of compressed store files, numbered as the component store does. */
enum ib_dcm_kind {
	IB_DCM_NONE = 0, /**< not compressed: plain XML, for example */
	IB_DCM_DCD = 1,  /**< a delta against a basis file */
	IB_DCM_DCN = 2,  /**< a delta against nothing */
	IB_DCM_DCH = 3,  /**< a header alone */
	IB_DCM_DCM = 4,  /**< a delta against the manifest dictionary */
	IB_DCM_DCS = 5,  /**< blocks of LZMS */
	IB_DCM_DCX = 6,  /**< nothing is known about it */
};

/** The kind of a store file by its first four bytes. @param bytes  borrowed, any length */
enum ib_dcm_kind ib_dcm_kind(GBytes *bytes);

/**
 * Decode a store file. A manifest has no hash of its own: the caller compares what comes out with what the catalog or
 * the component's key names, or at least parses it. What is checked here: all of the target is there and all of the
 * record was used.
 *
 * @param bytes   borrowed; a DCM, DCN, DCD or DCS file
 * @param basis   borrowed; DCM: the dictionary (ib_dcm_dictionary()); DCD: the basis file; otherwise ignored, may be
 * NULL
 * @param ret     owned by the caller (g_bytes_unref)
 * Throws IB_ERR_INPUT for a malformed file, for more than IB_DCM_MAX bytes, for a missing basis, and for DCH, DCX and
 * plain files, by name.
 */
bool ib_dcm_decode(GBytes *bytes, GBytes *basis, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * The manifest dictionary out of the servicing stack's wcp.dll: resource type 614 (0x266), name 1, first language.
 *
 * @param wcp  borrowed; the whole file
 * @param ret  owned by the caller (g_bytes_unref)
 * Throws IB_ERR_INPUT when the file is no program or has no such resource.
 */
bool ib_dcm_dictionary(GBytes *wcp, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/** Whether these bytes are the dictionary every known Windows 10 and 11 has; another one is possible, but worth a
 * note. */
bool ib_dcm_dictionary_usual(GBytes *dictionary);

#endif
