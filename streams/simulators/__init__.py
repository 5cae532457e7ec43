"""Marketo and Dynamics as servers: what of their REST APIs the vendors document, in memory, with faults that can be switched on."""
