"""Figures of the shipped screen: false alarms, accidents, poses, voxel sizes and attacks on unseen volumes."""
