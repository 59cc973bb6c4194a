// The bare round trip's other side: a node server that sends back what it gets. Its argument is its socket.
import { createServer } from 'node:net';

createServer((socket) => {
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('error', () => socket.destroy());
}).listen(process.argv[2], () => console.log('ready'));
