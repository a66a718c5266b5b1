"""Average precision by the rules of UA-DETRAC and of UAVDT: two sets of rules over one way of matching."""
