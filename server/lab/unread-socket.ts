/**
 * Takes a process's VRRP sockets out of what it waits for: it runs on, sends, and never reads them again. That is what a daemon
 * looks like that has lost track of a socket. By pidfd_getfd(2) another process has the same open files, and epoll_ctl(2) knows
 * a file by itself and its number; nothing in the process is touched. For perl, which every Debian has.
 */
export const UNREAD_SOCKET = String.raw`
use strict;
my $pid = int shift;
# pidfd_open, pidfd_getfd, dup3, epoll_ctl
my %numbers = (x86_64 => [434, 438, 292, 233], aarch64 => [434, 438, 24, 21]);
chomp(my $machine = qx(uname -m));
my ($open, $get, $dup, $control) = @{$numbers{$machine} or die "no system calls are known of $machine\n"};
open my $raw, '<', "/proc/$pid/net/raw" or die "no /proc/$pid/net/raw\n";
my %vrrp = map { ((split)[9] => 1) } grep { /:0070 / } <$raw>;
my ($epoll, @sockets);
for my $path (glob "/proc/$pid/fd/*") {
    my $to = readlink $path or next;
    my ($fd) = $path =~ /(\d+)$/;
    $epoll //= int $fd if $to =~ /eventpoll/;
    push @sockets, int $fd if $to =~ /^socket:\[(\d+)\]/ and $vrrp{$1};
}
my $process = syscall $open, $pid, 0;
my $copy = sub {
    my $fd = syscall $get, $process, shift, 0;
    die "pidfd_getfd: $!\n" if $fd < 0;
    return $fd;
};
my $waits = 200;
die "dup3: $!\n" if syscall($dup, $copy->($epoll), $waits, 0) < 0;
my $taken = 0;
for my $socket (@sockets) {
    my $fd = $copy->($socket);
    die "dup3: $!\n" if $fd != $socket and syscall($dup, $fd, $socket, 0) < 0;
    $taken++ if syscall($control, $waits, 2, $socket, 0) == 0;
}
die "no VRRP socket of $pid is waited for\n" unless $taken;
`;
