// node's http server, with a file read and a timer.
const fs = require("fs");
const http = require("http");
const os = require("os");

const server = http.createServer((request, response) => {
  if (request.url === "/self") {
    fs.readFile(__filename, (error, data) => response.end(error ? String(error) : data));
  } else if (request.url === "/later") {
    setTimeout(() => response.end("later\n"), 20);
  } else {
    response.end(`hello ${request.url} from node on ${os.platform()}\n`);
  }
});
server.listen(8000, "0.0.0.0");
process.on("SIGTERM", () => {
  console.log("stopping");
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
