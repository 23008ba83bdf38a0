"""Is the voice that of the enrolled person? One to one, against a cohort of other voices."""
