// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright (C) 2026 The Weir authors
//
// S13 by npm's "diameter": reads a JSON object {host, port, identity, realm, questions: [[imei, svn, imsi, proxiable]]}
// on standard input, asks them one after the other, and prints one JSON line an answer, its AVPs as that library names
// them.  (It reads one message of what a read brings, so nothing is asked before the last was answered.)
'use strict';
const diameter = require('diameter');
const work = JSON.parse(require('fs').readFileSync(0));

const origin = [['Origin-Host', work.identity], ['Origin-Realm', work.realm]];
const application = ['Vendor-Specific-Application-Id', [['Vendor-Id', 10415], ['Auth-Application-Id', 16777252]]];
const say = (what) => console.log(JSON.stringify(what));
const fail = (error) => { say({ error: String(error) }); process.exit(1); };

async function ask(connection, [imei, svn, imsi, proxiable], n) {
	const request = connection.createRequest(16777252, '3GPP-ME-Identity-Check', `${work.identity};${process.pid};${n}`);
	request.header.flags.proxiable = proxiable;
	request.body.push(application, ['Auth-Session-State', 1], ...origin, ['Destination-Realm', work.realm],
		['Terminal-Information', [['IMEI', imei]].concat(svn ? [['Software-Version', svn]] : [])]);
	if (imsi)
		request.body.push(['User-Name', imsi]);
	const answer = await connection.sendRequest(request, 5000);
	say({ flags: answer.header.flags, command: answer.command, body: answer.body });
}

async function run(connection) {
	const cer = connection.createRequest('Diameter Common Messages', 'Capabilities-Exchange');
	cer.body = origin.concat([['Host-IP-Address', '10.99.0.2'], ['Vendor-Id', 0], ['Product-Name', 'node-diameter'],
		['Supported-Vendor-Id', 10415], application]);
	const cea = await connection.sendRequest(cer, 5000);
	say({ flags: cea.header.flags, command: cea.command, body: cea.body });
	for (let n = 0; n < work.questions.length; n++)
		await ask(connection, work.questions[n], n);
	const dpr = connection.createRequest('Diameter Common Messages', 'Disconnect-Peer');
	dpr.body = origin.concat([['Disconnect-Cause', 0]]);
	const dpa = await connection.sendRequest(dpr, 5000);
	say({ flags: dpa.header.flags, command: dpa.command, body: dpa.body });
	connection.end();
}

const socket = diameter.createConnection({ host: work.host, port: work.port }, () =>
	run(socket.diameterConnection).catch(fail));
socket.on('diameterMessage', (event) => {
	event.response.body = event.response.body.concat([['Result-Code', 2001]], origin);
	event.callback(event.response);
});
socket.on('error', fail);
