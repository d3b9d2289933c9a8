/** imglab/sddl: security descriptors from their text form. */
#ifndef IMGLAB_SDDL_H
#define IMGLAB_SDDL_H

#include <glib.h>

/**
 * Self-relative descriptor of an SDDL text: owner, group, DACL and SACL with
 * flags P, AI, AR; allow, deny and audit entries without object or condition.
 * @return owned by the caller (g_bytes_unref), or NULL when the text is not understood
 */
GBytes *lab_sddl_bytes(const char *sddl);

#endif
