/*
 * Sends VRRPv2 adverts at a steady rate: sender INTERFACE COUNT GAP_US SENDERS
 * The n-th is of sender n modulo SENDERS: VRIDs 1 to 255 of as many source addresses as are needed.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static uint16_t checksum(const uint8_t *bytes, unsigned length)
{
	uint32_t sum = 0;

	for (unsigned at = 0; at < length; at += 2)
		sum += (uint32_t)bytes[at] << 8 | bytes[at + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

int main(int count, char **args)
{
	static const uint8_t head[34] = {
		0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x02, 0, 0, 0, 0, 0x0b, 0x08, 0x00,
		0x45, 0xc0, 0, 40, 0, 0, 0, 0, 255, 112, 0, 0, 10, 99, 0, 11, 224, 0, 0, 18,
	};
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	struct timespec next;
	uint8_t frame[54];
	long adverts, gap_us, senders;
	int link = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));

	if (count != 5 || link < 0)
		return 1;
	adverts = atol(args[2]);
	gap_us = atol(args[3]);
	senders = atol(args[4]);
	to.sll_ifindex = (int)if_nametoindex(args[1]);
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (long n = 0; n < adverts; n++) {
		long sender = n % senders;
		uint8_t vrid = (uint8_t)(1 + sender % 255), group = (uint8_t)(sender / 255);
		const uint8_t pdu[20] = { 0x21, vrid, 100, 1, 0, 1, 0, 0, 10, 99, group, vrid };
		uint16_t sum;

		memcpy(frame, head, sizeof(head));
		memcpy(frame + 34, pdu, sizeof(pdu));
		frame[28] = group;
		sum = checksum(frame + 14, 20);
		memcpy(frame + 24, &sum, 2);
		sum = checksum(frame + 34, 20);
		memcpy(frame + 40, &sum, 2);
		if (sendto(link, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			return 1;
		next.tv_nsec += gap_us * 1000;
		while (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	return 0;
}
