/**
 * imglab/dictionary: what the laboratory's compressed manifests (DCM) are made
 * against. Ours, and no text of Windows: a manifest of the laboratory that
 * brings a little of everything, so that others find their phrases in it.
 */
#ifndef IMGLAB_DICTIONARY_H
#define IMGLAB_DICTIONARY_H

#include "base/base.h"

/** Type and name of the resource of wcp.dll that holds it. */
#define LAB_DICTIONARY_TYPE 614
#define LAB_DICTIONARY_NAME 1

/** The text, some 9 KB. @return owned by the caller (g_bytes_unref) */
GBytes *lab_dictionary(void);

#endif
