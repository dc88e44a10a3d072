# Counts as `keepwatch scan` does: keepalived's lines, and states by host and instance.
index($0, "eepalived") && $5 ~ /^Keepalived(_vrrp|_healthcheckers)?\[[0-9]+\]:$/ {
  n++
  if ($0 ~ /\) Entering (MASTER|BACKUP|FAULT) STATE/) { kind["state"]++; state[$4 " " $6 " " $8]++ }
  else if ($0 ~ /\) Receive advertisement timeout/) kind["timeout"]++
  else if ($0 ~ /\) (setting|removing) VIPs/) kind["vips"]++
  else if ($0 ~ /: Sending gratuitous ARP on/) kind["garp"]++
  else if ($0 ~ /\) Sending\/queueing gratuitous ARPs on/) kind["queueing"]++
  else if ($0 ~ /\) Changing effective priority from/) kind["priority"]++
  else if ($0 ~ /\) (Master received|Received) advert/) kind["advert"]++
  else if ($0 ~ /VRRP_Script\(|Script `/) kind["script"]++
  else if ($0 ~ /: (Removing|Adding) service/) kind["service"]++
  else if ($0 ~ /: (TCP connection to|HTTP status code|Check on service)/) kind["check"]++
  else if ($0 ~ /: (Netlink reports|Kernel is reporting)/) kind["link"]++
  else if ($0 ~ /: Starting Keepalived v/) kind["start"]++
  else if ($0 ~ /\) (sent 0 priority|Backup received priority 0)/) kind["zero"]++
  else kind["other"]++
}
END { s = 0; for (x in state) s += state[x]; print n, s }
