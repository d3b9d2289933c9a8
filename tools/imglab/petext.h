/**
 * imglab/petext: code for synthetic programs: functions that call each other,
 * load addresses of data and call imports, so that a later build, in which
 * functions have been put between, differs from an earlier one as two builds of
 * a real program do. It would run, but does nothing of use.
 */
#ifndef IMGLAB_PETEXT_H
#define IMGLAB_PETEXT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/** What a place in the code refers to. */
enum lab_ref_kind {
	LAB_REF_FUNCTION, /**< number: index into functions */
	LAB_REF_DATA,     /**< number: offset in data */
	LAB_REF_IMPORT,   /**< number: of the imported function */
};

/** Four bytes to be filled in when everything has its place. */
struct lab_ref {
	uint32_t at;      /**< offset in bytes */
	uint8_t kind;     /**< enum lab_ref_kind */
	bool absolute;    /**< an address, which needs a relocation; else the distance from behind the four bytes */
	uint32_t number;
};

struct lab_function {
	uint32_t begin, end; /**< offsets in bytes */
};

/** Code. Free with lab_text_fini(). */
struct lab_text {
	GByteArray *bytes;
	GArray *functions; /**< struct lab_function, ascending */
	GArray *refs;      /**< struct lab_ref, ascending */
};

/** What to make. */
struct lab_text_plan {
	uint64_t seed;      /**< of the program */
	size_t bytes;       /**< about so many */
	bool amd64;         /**< else i386 */
	unsigned variant;   /**< later builds: so many functions more, others changed */
	uint32_t data_bytes;/**< of data to refer to, at least 16 */
	unsigned imports;   /**< imported functions, at least 1 */
};

/** Make it. Same plan, same code; at least two functions. */
void lab_text_make(struct lab_text *t, const struct lab_text_plan *plan);
/** Free it. */
void lab_text_fini(struct lab_text *t);

#endif
