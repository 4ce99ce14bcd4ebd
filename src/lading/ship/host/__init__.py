"""A host without containers: a service of systemd, a site of nginx, and a script that installs both."""
