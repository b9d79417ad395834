// SPDX-License-Identifier: GPL-2.0-or-later
/* Not compiled: what each rule in this folder must find, and must not. */

static void status_is_ignored(struct ehea_hea *hea)
{
	ehea_phyp_disable_qp(hea, 0);		/* status */
}

static void sleeps_under_a_lock(struct ehea_hea *hea)
{
	int err;

	spin_lock(&hea->res_lock);
	err = ehea_phyp_free(hea, 0, true);	/* atomic */
	spin_unlock(&hea->res_lock);
	mutex_lock(&hea->lost_lock);
	use(err);
}

static void *allocates_under_rcu(void)
{
	void *data;

	rcu_read_lock();
	data = kmalloc(16, GFP_KERNEL);		/* atomic */
	rcu_read_unlock();
	return data;
}

static u64 compares(const struct ehea_busmap *map, u64 real)
{
	u64 bus = ehea_busmap_lookup(map, real);

	return bus == EHEA_BUSMAP_HOLE ? 0 : bus;
}

static void posts_what_may_be_a_hole(struct ehea_sge *sge,
				     const struct ehea_busmap *map, u64 real)
{
	u64 bus = ehea_busmap_lookup(map, real);	/* lookup */

	sge->addr = cpu_to_be64(bus);
}

static void compares_too_rarely(struct ehea_sge *sge,
				const struct ehea_busmap *map, u64 real)
{
	u64 bus;

	bus = ehea_busmap_lookup(map, real);	/* lookup */
	if (real > 16) {
		if (bus == EHEA_BUSMAP_HOLE)
			return;
	}
	sge->addr = cpu_to_be64(bus);
}
