/*
 * The floor: what reading a capture and summing its adverts costs with nothing around it.
 * cc -O2 -o adverts adverts.c -lpcap; adverts FILE
 */
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>

static unsigned long adverts, wrong, priorities;
static unsigned link_bytes, type_at;

static uint32_t sum16(const u_char *bytes, unsigned length, uint32_t sum)
{
	for (unsigned at = 0; at + 1 < length; at += 2)
		sum += (uint32_t)bytes[at] << 8 | bytes[at + 1];
	return sum;
}

static void packet(u_char *user, const struct pcap_pkthdr *header, const u_char *frame)
{
	const u_char *ip = frame + link_bytes, *pdu;
	unsigned type, length;
	uint32_t sum = 0;

	(void)user;
	if (header->caplen < link_bytes + 28)
		return;
	type = (unsigned)frame[type_at] << 8 | frame[type_at + 1];
	if (type == 0x0800 && ip[9] == 112) {
		unsigned header_bytes = (ip[0] & 15) * 4u;

		pdu = ip + header_bytes;
		length = ((unsigned)ip[2] << 8 | ip[3]) - header_bytes;
		if (pdu[0] >> 4 == 3)
			sum = sum16(ip + 12, 8, 112 + length);
	} else if (type == 0x86dd && ip[6] == 112) {
		pdu = ip + 40;
		length = (unsigned)ip[4] << 8 | ip[5];
		sum = sum16(ip + 8, 32, 112 + length);
	} else
		return;
	if (length < 8 || pdu + length > frame + header->caplen)
		return;
	sum = sum16(pdu, length, sum);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	wrong += sum != 0xffff;
	priorities += pdu[2];
	adverts++;
}

int main(int count, char **args)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *capture = count == 2 ? pcap_open_offline(args[1], error) : NULL;

	if (!capture)
		return 1;
	link_bytes = pcap_datalink(capture) == DLT_EN10MB ? 14 : 20;
	type_at = link_bytes == 14 ? 12 : 0;
	pcap_loop(capture, -1, packet, NULL);
	printf("%lu adverts, %lu wrong, %lu\n", adverts, wrong, priorities);
	return 0;
}
