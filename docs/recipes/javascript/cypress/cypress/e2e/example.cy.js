describe('uploads', () => {
  it('shows an error of the server', () => {
    cy.task('stowage', ['POST', 'faults', { match: { route: '/base/' }, do: { status: 503 } }])
    // Your application takes the address of the server from here.
    cy.visit(`/?server=${Cypress.env('stowage')}`)
    cy.get('input[type=file]').selectFile({ contents: Cypress.Buffer.from('hello'), fileName: 'hello.txt' })
    cy.contains('Upload error')
    cy.task('stowage', ['GET', 'journal/count?route=/base/&status=503']).its('count').should('eq', 1)
  })
})
