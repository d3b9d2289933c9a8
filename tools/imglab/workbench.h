/**
 * imglab/workbench: single pieces of packages from files that are given, for
 * tests and for trying things out.
 */
#ifndef IMGLAB_WORKBENCH_H
#define IMGLAB_WORKBENCH_H

#include "cab.h"
#include "delta.h"

/** `imglab delta`: its options as they are on the command line. */
struct lab_delta_request {
	const char *source; /**< file or NULL */
	const char *target; /**< file */
	const char *output; /**< file */
	struct lab_delta delta; /**< all but source and target */
};

/** Make a delta of files. */
bool lab_workbench_delta(const struct lab_delta_request *r, struct ib_error **err) IB_MUST_CHECK;

/** `imglab dcm`: compress a manifest. @param dictionary  file. @param xml  file */
bool lab_workbench_dcm(const char *dictionary, const char *xml, const char *output, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * `imglab cab`: files as an LZX cabinet.
 *
 * @param files  how many are named; borrowed. In the cabinet they are named as given, with backslashes.
 */
bool lab_workbench_cab(char *const *files, int count, const char *output, struct ib_error **err) IB_MUST_CHECK;

#endif
