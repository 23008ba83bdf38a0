"""Does the person move as the enrolled person moves? After ExposeAnyone."""
