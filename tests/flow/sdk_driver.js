// Drives independent CMQ clients from npm for test_cmqlocal_sdk.py, which finds them by NODE_PATH.
//
// argv: the port of cmqlocal on 127.0.0.1, to which every connection goes, whatever the name. Each
// line on stdin is a JSON call; each answer is a line on stdout, in the order of the calls.
'use strict';

const http = require('http');
const net = require('net');
const readline = require('readline');
const { CommonClient } = require('tencentcloud-sdk-nodejs-common');
const { CMQ } = require('cmq-sdk');

const port = Number(process.argv[2]);

http.Agent.prototype.createConnection = (options, connected) =>
  net.createConnection({ ...options, host: '127.0.0.1', port, path: undefined }, connected);

// The vendor's cloud SDK. The endpoint's first label is the service that it signs for.
function cloud({ account, sign, method, action, params, endpoint }) {
  const client = new CommonClient(endpoint || `tdmq.localhost:${port}`, '2020-02-17', {
    credential: { secretId: account[0], secretKey: account[1] },
    region: 'ap-guangzhou',
    profile: { signMethod: sign, httpProfile: { protocol: 'http://', reqMethod: method || 'POST' } },
  });
  return client.request(action, params);
}

// A queue SDK of somebody else, whose host names are fixed.
function data({ account, sign, action, params }) {
  const client = CMQ.NEW({
    secretId: account[0], secretKey: account[1], region: 'gz', path: '/v2/index.php',
    signatureMethod: sign, extranet: false,
  });
  return client[action](params);
}

const clients = { cloud, data };

async function run() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const call = JSON.parse(line);
    let answer;
    try {
      answer = { ok: await clients[call.client](call) };
    } catch (error) {
      answer = { error: { code: error.code, message: error.message, requestId: error.requestId } };
    }
    console.log(JSON.stringify(answer));
  }
}

run();
