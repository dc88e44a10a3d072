"""Decodes the adverts of a capture and counts them: adverts_scapy.py FILE"""
import sys
from scapy.layers.vrrp import VRRP, VRRPv3
from scapy.utils import PcapReader

adverts = priorities = 0
for packet in PcapReader(sys.argv[1]):
    advert = packet.getlayer(VRRP) or packet.getlayer(VRRPv3)
    if advert is not None:
        adverts += 1
        priorities += advert.priority
print(adverts, priorities)
