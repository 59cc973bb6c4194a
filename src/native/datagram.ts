import koffi, { type LibraryHandle } from 'koffi';
import { SystemCallError } from './system-call-error.ts';

// <sys/socket.h> of Linux on x86-64 and aarch64.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** `sun_path` of struct sockaddr_un (unix(7)). */
const pathBytes = 108;

/** Sends one datagram to the Unix socket at an absolute path, or to an abstract name after '@'. */
export function datagramSender(library: LibraryHandle): (address: string, message: string) => void {
  const socket: (domain: number, type: number, protocol: number) => number = library.func(
    'int socket(int domain, int type, int protocol)',
  );
  const sendto: (
    fd: number,
    message: Buffer,
    bytes: number,
    flags: number,
    address: Uint8Array,
    addressBytes: number,
  ) => number = library.func(
    'long sendto(int fd, void *message, size_t bytes, int flags, void *address, unsigned int addressBytes)',
  );
  const close: (fd: number) => number = library.func('int close(int fd)');

  return (address, message) => {
    const destination = socketAddress(address);
    const bytes = Buffer.from(message);
    const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw new SystemCallError('socket', koffi.errno());
    try {
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      const sent = sendto(fd, bytes, bytes.length, flags, destination, destination.length);
      if (sent < 0) throw new SystemCallError('sendto', koffi.errno());
    } finally {
      close(fd);
    }
  };
}

/** struct sockaddr_un; an abstract name starts with NUL, ends with the structure and has no terminator. */
function socketAddress(address: string): Uint8Array {
  const abstract = address.startsWith('@');
  if (!abstract && !address.startsWith('/')) {
    throw new Error(
      `NOTIFY_SOCKET is neither an absolute path nor an abstract '@' name: ${address}`,
    );
  }
  const name = Buffer.from(abstract ? `\0${address.slice(1)}` : `${address}\0`);
  if (name.length > pathBytes || name.length < 2) {
    throw new Error(`NOTIFY_SOCKET must be a name of 1 to ${pathBytes - 1} bytes: ${address}`);
  }
  const family = new Uint8Array(Uint16Array.of(AF_UNIX).buffer);
  return Buffer.concat([family, name]);
}
