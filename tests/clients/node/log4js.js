// Logs COUNT numbered messages through log4js with the appender @log4js-node/logstash-http, which tries each once, and prints
// {"sent": n, "failed": m} when all are answered.
//
//   node log4js.js URL COUNT
"use strict";

const log4js = require("log4js");

const [url, count] = process.argv.slice(2);
let failed = 0;
console.error = () => failed++; // all that the appender does about an answer it does not like

log4js.configure({
  appenders: { http: { type: "@log4js-node/logstash-http", url, application: "app", logType: "application", logChannel: "web" } },
  categories: { default: { appenders: ["http"], level: "info" } },
});
const logger = log4js.getLogger();
for (let seq = 0; seq < Number(count); seq++) logger.warn(`seq=${seq}; root logged in ☃`);

process.on("exit", () => process.stdout.write(JSON.stringify({ sent: Number(count), failed }) + "\n"));
