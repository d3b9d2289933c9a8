/* servicing, private: adding one driver package. */
#ifndef IB_SERVICING_DRIVERS_INTERNAL_H
#define IB_SERVICING_DRIVERS_INTERNAL_H

#include "servicing/internal.h"

#define DIR_DRIVERSTORE "Windows\\System32\\DriverStore\\FileRepository"

/* One install section, as DriverDatabase calls it, and what it asks for. */
struct configuration {
	const struct ib_inf_section *section;
	struct ib_driver_actions actions;
	bool boot; /* it has a service that the boot loader starts */
};

struct adding {
	struct ib_store *s;
	struct ib_driver *d;
	struct ib_driver_target target;
	struct ib_driver_summary *sum;
	GPtrArray *configurations; /* struct configuration */
	char *folder;              /* in the image */
	char *published;           /* oem<n>.inf */
};

/* A key of DriverDatabase, in the hive that has it; *ret NULL when it is not there and not to be made. */
bool ib_svc_driver_key(struct ib_store *s, const char *path, bool make, struct ib_hive **ret_hive, struct ib_key **ret,
		       struct ib_error **err);
/* driver_database.c: DeviceIds, DriverInfFiles, DriverPackages. */
bool ib_svc_driver_record(struct adding *a, unsigned number, struct ib_error **err);
/* driver_boot.c: services that start at boot, their files and values. */
bool ib_svc_driver_boot(struct adding *a, struct ib_error **err);
/* Apply a registry line below a key. */
bool ib_svc_driver_value(struct ib_hive *hive, struct ib_key *base, const struct ib_driver_value *v, struct ib_error **err);
#endif
